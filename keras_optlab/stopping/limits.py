"""Values of a metric at which to stop training."""

from __future__ import annotations

import math


class Limits:
    """Values of a metric at which to stop training.

    >>> limits = Limits("min", target=0.1, divergence=5.0)
    >>> [limits.crossed(value) for value in (0.2, 0.1, 6.0, float("nan"))]
    [None, 'target', 'divergence', 'check_finite']

    Args:
        mode: `"min"` if a lower value is better, `"max"` if a higher one is.
        target: stop at a value at least this good.
        divergence: stop at a value worse than this.
        check_finite: whether to stop at a NaN or an infinity.

    Raises:
        ValueError: if the target is not better than the divergence.
    """

    def __init__(
        self,
        mode: str,
        target: float | None = None,
        divergence: float | None = None,
        check_finite: bool = True,
    ) -> None:
        self.sign = 1 if mode == "max" else -1
        self.target, self.divergence = target, divergence
        self.check_finite = check_finite
        if target is not None and divergence is not None:
            if self.sign * (target - divergence) > 0:
                return
            raise ValueError(
                f"`target` must be better than `divergence` with mode={mode!r}. "
                f"Received: target={target}, divergence={divergence}"
            )

    def crossed(self, value: float) -> str | None:
        """Return the name of the limit that a value crosses, or `None`."""
        if self.check_finite and not math.isfinite(value):
            return "check_finite"
        if self.target is not None and self.sign * (value - self.target) >= 0:
            return "target"
        if self.divergence is not None and self.sign * (value - self.divergence) < 0:
            return "divergence"
        return None
