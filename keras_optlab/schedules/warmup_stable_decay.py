"""Warm-up, a long plateau, and a short decay."""

from __future__ import annotations

from typing import Any

from keras_optlab.core import Choice
from keras_optlab.core.errors import shown
from keras_optlab.core.values import Values
from keras_optlab.schedules.arguments import rate, share, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import cosine_ramp, shares


class WarmupStableDecay(Timed):
    """WSD: a linear rise from 0 to `peak`, a long plateau, and a short decay.

        rise       peak · t / (warmup · steps)
        plateau    peak
        decay      final + (peak - final) · curve(r)

    where r falls from 1 to 0 in the last decay · steps updates; `final` from step
    `steps` on. The curve is r with shape "linear", 1 - sqrt(1 - r) with "1-sqrt", and
    (1 - cos(π r)) / 2 with "cosine". On the plateau the value does not depend on when
    the training ends, so a longer training can continue from there.

    The linear one equals `optax.join_schedules` of two `linear_schedule` with a
    `constant_schedule` between them. Neither Keras nor torch has it.

    Args:
        peak: Value of the plateau; finite, >= 0.
        steps: Length of all three parts in updates; integer > 0, or a share of the
            training in (0, 1). Or use the keyword `epochs`, > 0, alone or with
            `steps_per_epoch`, integer > 0. Defaults to the whole training.
        warmup: Fraction of `steps` for the rise, in (0, 1). Defaults to 0.05. The value
            at step 0 is 0, so the first update changes no weight.
        decay: Fraction of `steps` for the decay, in (0, 1). Defaults to 0.2.
        shape: "1-sqrt", "linear" or "cosine". Defaults to "1-sqrt".
        final: Value at step `steps` and later; finite, >= 0. Defaults to 0.

    Raises:
        ValueError: if an argument is out of range, or `warmup + decay` exceeds 1.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Hu et al., "MiniCPM: Unveiling the Potential of Small Language Models with
        Scalable Training Strategies", 2024, arXiv:2404.06395, where the decay is
        exponential; the shape "1-sqrt" and `decay=0.2` are from Hägele et
        al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
        Durations", 2024, arXiv:2405.18392.

    Example:
        >>> wsd = WarmupStableDecay(0.1, 10, warmup=0.2, decay=0.4, shape="linear")
        >>> wsd.values(12)
        array([0.   , 0.05 , 0.1  , 0.1  , 0.1  , 0.1  , 0.1  , 0.075, 0.05 , 0.025,
               0.   , 0.   ])
    """

    integer_steps = True
    ends = True
    between_rates = True

    peak: float = rate("value of the plateau")
    steps: float = steps("length of all three parts")
    warmup: float = share("fraction of the steps for the rise", 0.05, within="(0, 1)")
    decay: float = share("fraction of the steps for the decay", 0.2, within="(0, 1)")
    shape: str = Choice(
        default="1-sqrt",
        doc="curve of the decay",
        choices=("1-sqrt", "linear", "cosine"),
    )
    final: float = rate("value at the end", default=0.0)

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every field."""
        values = super().bind(*args, **kwargs)
        if values.warmup + values.decay > 1:
            raise ValueError(
                "`warmup + decay` must be at most 1. "
                f"Received: warmup={shown(values.warmup)}, decay={shown(values.decay)}"
            )
        return values

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        _, risen = shares(0, self.warmup * self.steps, step, ops)
        begin = self.steps - self.decay * self.steps
        left, gone = self.curve(*shares(begin, self.steps, step, ops), ops)
        return risen * (self.peak * left + self.final * gone)

    def curve(self, remaining: Any, elapsed: Any, ops: Any) -> tuple[Any, Any]:
        """Return the weights of `peak` and `final` at these fractions of the decay."""
        if self.shape == "1-sqrt":
            gone = ops.sqrt(elapsed)
            return remaining / (1.0 + gone), gone
        if self.shape == "cosine":
            return cosine_ramp(remaining, ops), cosine_ramp(elapsed, ops)
        return remaining, elapsed
