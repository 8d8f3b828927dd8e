"""Exponential decay."""

from __future__ import annotations

from typing import Any

from keras_optlab.core import Flag
from keras_optlab.schedules.arguments import factor, rate, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import in_periods, power


class Exponential(Timed):
    """Exponential decay by a factor per `steps` updates, smooth or as a staircase.

        value(t) = initial · decay_rate ^ (t / steps)

    without an end. With `staircase` the exponent is rounded down, so the value changes
    only at multiples of `steps`. With a `decay_rate` above 1 the value grows, for
    example in a search for the largest stable learning rate.

    Equal to `keras.optimizers.schedules.ExponentialDecay(initial, steps, decay_rate,
    staircase)` and to `optax.exponential_decay(initial, steps, decay_rate,
    staircase=staircase)`. torch's `ExponentialLR(gamma)` is this with `steps=1`, and
    its `StepLR(step_size, gamma)` is this with `staircase=True`.

    Args:
        initial: Value at step 0; finite, >= 0.
        steps: Updates in which the value changes by the factor; integer > 0, or a share
            of the training in (0, 1). Or use the keyword `epochs`, > 0, alone or with
            `steps_per_epoch`, integer > 0. Defaults to the whole training.
        decay_rate: The factor; finite, > 0. Defaults to 0.1; Keras has no default.
        staircase: Whether the value changes only at multiples of `steps`. Defaults to
            False.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Example:
        >>> Exponential(0.8, steps=2, decay_rate=0.25).values(5).round(4)
        array([0.8 , 0.4 , 0.2 , 0.1 , 0.05])
        >>> Exponential(0.8, steps=2, decay_rate=0.25, staircase=True).values(5)
        array([0.8 , 0.8 , 0.2 , 0.2 , 0.05])
    """

    integer_steps = True
    between_rates = True

    initial: float = rate("value at step 0")
    steps: float = steps("time in which the value changes by the factor")
    decay_rate: float = factor("factor", default=0.1)
    staircase: bool = Flag(default=False, doc="whether to round t / steps down")

    @property
    def largest(self) -> float | None:
        """The largest value, or `None` if it grows without end."""
        return super().largest if self.decay_rate <= 1 else None

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        time = in_periods(self.steps, self.staircase, step, ops)
        return self.initial * power(self.decay_rate, time, ops)

    @property
    def _horizon(self) -> int:
        return int(5 * self.steps)
