"""Inverse time decay."""

from __future__ import annotations

from typing import Any

from keras_optlab.core import Flag
from keras_optlab.schedules.arguments import factor, rate, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import in_periods


class InverseTime(Timed):
    """Decay with the inverse of time.

        value(t) = initial / (1 + decay_rate · t / steps)

    without an end. With a `decay_rate` of 1 the value is initial / 2 at t = steps and
    initial / 3 at t = 2 · steps. With `staircase`, t / steps is rounded down, so the
    value changes only at multiples of `steps`.

    Equal to `keras.optimizers.schedules.InverseTimeDecay(initial, steps, decay_rate,
    staircase)`. Neither optax nor torch has it.

    Args:
        initial: Value at step 0; finite, >= 0.
        steps: Unit of time in updates; integer > 0, or a share of the training in (0,
            1). Or use the keyword `epochs`, > 0, alone or with `steps_per_epoch`,
            integer > 0. Defaults to the whole training.
        decay_rate: Growth of the divisor per `steps` updates; finite, > 0. Defaults to
            1; Keras has no default.
        staircase: Whether to round t / steps down. Defaults to False.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Robbins and Monro, "A Stochastic Approximation Method", 1951, Annals of
        Mathematical Statistics 22(3): the steps have an infinite sum, their squares a
        finite sum.

    Example:
        >>> InverseTime(0.6, steps=2).values(5)
        array([0.6 , 0.4 , 0.3 , 0.24, 0.2 ])
    """

    integer_steps = True
    between_rates = True

    initial: float = rate("value at step 0")
    steps: float = steps("unit of time")
    decay_rate: float = factor("growth of the divisor per `steps`", default=1.0)
    staircase: bool = Flag(default=False, doc="whether to round t / steps down")

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        time = in_periods(self.steps, self.staircase, step, ops)
        return self.initial / (1.0 + self.decay_rate * time)

    @property
    def _horizon(self) -> int:
        return int(5 * self.steps)
