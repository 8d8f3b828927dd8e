"""The same value at every step."""

from __future__ import annotations

from typing import Any

from keras_optlab.schedules.arguments import rate
from keras_optlab.schedules.base import Schedule, value_of


class Constant(Schedule):
    """The same value at every step.

        value(t) = value

    A plain number does the same and can be changed while training runs; this is for
    where a schedule is asked for. Equal to `optax.constant_schedule(value)`. torch's
    `ConstantLR` is something else: it changes its value once, as `Piecewise` does.

    Args:
        value: The value; finite, >= 0.

    Raises:
        ValueError: if the value is out of range.
        TypeError: if it is not a number.

    Example:
        >>> Constant(0.1).values(3)
        array([0.1, 0.1, 0.1])
    """

    integer_steps = True

    value: float = rate("value at every step")

    def formula(self, step: Any, ops: Any) -> Any:
        """Value at `step`."""
        return value_of(self.value, step, ops)
