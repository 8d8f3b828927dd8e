"""The gradient noise scale, from measurements on micro-batches."""

from __future__ import annotations

KEPT = 0.8  # of the averages, at each measurement


class NoiseScale:
    r"""The simple noise scale, tr(Σ) / |G|², in examples.

    G is the true gradient and Σ the covariance of the gradient of one example. From n
    micro-batches of m examples, with |ḡ|² the square of their mean gradient and s² the
    total variance of a micro-batch's gradient,

    $$\operatorname{tr}\Sigma \approx m s^2, \qquad
      |G|^2 \approx |\bar g|^2 - s^2 / n.$$

    Both are free of bias, the ratio is not: so each is averaged over the measurements,
    exponentially, and the ratio is that of the averages.

    Source: McCandlish, Kaplan, Amodei and the OpenAI Dota Team, 2018, arXiv:1812.06162,
    appendix A.1, with n instead of one small batch in a big one.

    >>> scale = NoiseScale()
    >>> scale.update(square=3.0, variance=8.0, batches=4, micro_batch=2)
    16.0
    """

    def __init__(self) -> None:
        self._trace = self._square = 0.0

    def update(
        self, square: float, variance: float, batches: int, micro_batch: int
    ) -> float | None:
        """Add a measurement; return the scale, or `None` if |G|² is not above 0.

        Args:
            square: |ḡ|².
            variance: s².
            batches: n, >= 2.
            micro_batch: m.
        """
        trace, own = micro_batch * variance, square - variance / batches
        self._trace = KEPT * self._trace + (1 - KEPT) * trace
        self._square = KEPT * self._square + (1 - KEPT) * own
        return self._trace / self._square if self._square > 0 else None
