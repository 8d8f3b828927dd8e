"""The same value at every step."""

from __future__ import annotations

from typing import Any

from keras_optlab.schedules.arguments import rate
from keras_optlab.schedules.base import Schedule, value_of


class Constant(Schedule):
    """The same value at every step.

        value(t) = value

    A plain number does the same and can be changed during training. Use this class
    where a schedule is required. Equal to `optax.constant_schedule(value)`. torch's
    `ConstantLR` differs: it changes its value once, as `Piecewise` does.

    Args:
        value: The value; finite, >= 0.

    Raises:
        ValueError: if the value is out of range.
        TypeError: if the value is not a number.

    Example:
        >>> Constant(0.1).values(3)
        array([0.1, 0.1, 0.1])
    """

    integer_steps = True
    between_rates = True

    value: float = rate("value at every step")

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        return value_of(self.value, step, ops)
