"""Actions that a rule takes every n updates.

Updates are counted in integers here: float32, in which a rule computes, cannot count
beyond 2**24.
"""

from __future__ import annotations

from keras import ops

from keras_optlab.core.types import Tensor


def as_integer_period(x: Tensor | int, count: Tensor) -> Tensor | int:
    """Return a number of updates as an integer >= 1; a schedule's value is rounded."""
    if not ops.is_tensor(x):
        return x
    return ops.cast(ops.round(ops.where(x < 1, 1.0, x)), count.dtype)


def is_due(count: Tensor, period: Tensor | int) -> Tensor:
    """Return whether an update, counted from 1, is the first of a period."""
    return (count - 1) % as_integer_period(period, count) == 0
