"""Decay with the inverse of time."""

from __future__ import annotations

from typing import Any

from keras_optlab.core import Flag
from keras_optlab.schedules.arguments import factor, rate, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import in_periods


class InverseTime(Timed):
    """Decay with the inverse of time.

        value(t) = initial / (1 + decay_rate · t / steps)

    without an end: with a `decay_rate` of 1 a half at t = steps, a third at 2 · steps.
    With `staircase`, t / steps is rounded down, so that the value changes only at every
    multiple of `steps`.

    Equal to `keras.optimizers.schedules.InverseTimeDecay(initial, steps, decay_rate,
    staircase)`. Neither optax nor torch has it.

    Args:
        initial: Value at step 0; finite, >= 0.
        steps: Unit of time in updates; integer > 0. Or by name `epochs`, > 0, and
            `steps_per_epoch`, integer > 0.
        decay_rate: How much the divisor grows in that time; finite, > 0. Defaults to 1;
            Keras has no default.
        staircase: Whether the value changes at once. Defaults to False.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Robbins and Monro, "A Stochastic Approximation Method", 1951, Annals of
        Mathematical Statistics 22(3): such steps sum to infinity, their squares do not.

    Example:
        >>> InverseTime(0.6, steps=2).values(5)
        array([0.6 , 0.4 , 0.3 , 0.24, 0.2 ])
    """

    integer_steps = True

    initial: float = rate("value at step 0")
    steps: int = steps("unit of time")
    decay_rate: float = factor("growth of the divisor in that time", default=1.0)
    staircase: bool = Flag(default=False, doc="whether it changes at once")

    def formula(self, step: Any, ops: Any) -> Any:
        """Value at `step`."""
        time = in_periods(self.steps, self.staircase, step, ops)
        return self.initial / (1.0 + self.decay_rate * time)

    @property
    def horizon(self) -> int:
        """How many updates show what there is to see of it."""
        return 5 * self.steps
