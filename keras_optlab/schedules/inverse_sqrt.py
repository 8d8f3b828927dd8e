"""Inverse square root decay."""

from __future__ import annotations

from typing import Any

from keras_optlab.schedules.arguments import rate, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import in_periods


class InverseSqrt(Timed):
    """Decay with the inverse square root of time.

        value(t) = initial / sqrt(1 + t / steps)

    without an end. At t = 3 · steps the value is initial / 2.

    The schedule of the Transformer is `Warmup(InverseSqrt(peak, n), n)`: a rise to
    peak = 1 / sqrt(d_model · n) in n updates, then peak · sqrt(n / t). The paper counts
    the first update as 1, this package as 0. Neither Keras, optax nor torch has it.

    Args:
        initial: Value at step 0; finite, >= 0.
        steps: Unit of time in updates; integer > 0, or a share of the training in (0,
            1). Or use the keyword `epochs`, > 0, alone or with `steps_per_epoch`,
            integer > 0. Defaults to the whole training.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, equation 3.

    Example:
        >>> InverseSqrt(0.6, steps=1).values(9).round(4)
        array([0.6   , 0.4243, 0.3464, 0.3   , 0.2683, 0.2449, 0.2268, 0.2121, 0.2   ])
    """

    integer_steps = True
    between_rates = True

    initial: float = rate("value at step 0")
    steps: float = steps("unit of time")

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        time = in_periods(self.steps, False, step, ops)
        return self.initial / ops.sqrt(1.0 + time)

    @property
    def _horizon(self) -> int:
        return int(5 * self.steps)
