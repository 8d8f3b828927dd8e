"""A multiple of another schedule."""

from __future__ import annotations

from typing import Any

from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.ends import end_of
from keras_optlab.schedules.arguments import factor, rate
from keras_optlab.schedules.base import Schedule, horizon_of, value_of


class Scaled(Schedule):
    """Another schedule with all its values multiplied by a number.

        value(t) = factor · schedule(t)

    `schedule * factor` and `factor * schedule` make the same. Neither Keras, optax nor
    torch has it.

    Args:
        schedule: A schedule of this package or of Keras, or a number, finite and >= 0.
        factor: What it is multiplied by; finite, >= 0.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Example:
        >>> from keras_optlab.schedules import Linear
        >>> 10 * Linear(0.1, steps=4)
        Scaled(schedule=Linear(initial=0.1, steps=4, final=0.0), factor=10.0)
        >>> (10 * Linear(0.1, steps=4)).values(6)
        array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])
    """

    integer_steps = True

    schedule: float | LearningRateSchedule = rate("what is scaled", or_schedule=True)
    factor: float = factor("what it is multiplied by", within=">= 0")

    def formula(self, step: Any, ops: Any) -> Any:
        """Value at `step`."""
        return value_of(self.schedule, step, ops) * self.factor

    @property
    def end(self) -> int | None:
        """Step from which on the value stays where it has been led; `None` without."""
        return end_of(self.schedule)

    @property
    def horizon(self) -> int:
        """How many updates show what there is to see of it."""
        return horizon_of(self.schedule)
