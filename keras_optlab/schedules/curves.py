"""The few curves that schedules are made of.

Each takes `ops`, which is `numpy` or `keras.ops`; the formulas are the same for both.

A compiler may divide by a constant in multiplying by its reciprocal, so that x / x is
not always 1. What has to be exact does not rest on a division.
"""

from __future__ import annotations

import math
from typing import Any


def since(begin: float, step: Any, ops: Any) -> Any:
    """Number of steps since `begin`, 0 before it."""
    # Keras' maximum would be shorter, but is float32 on torch.
    return ops.where(step > begin, step - begin, 0.0)


def progress(step: Any, steps: Any, ops: Any) -> Any:
    """Share of `steps` that has passed: 0 at step 0, 1 at `steps`, held beyond both."""
    return ops.where(step < steps, since(0, step, ops) / steps, 1.0)


def periods(step: Any, period: float, ops: Any) -> tuple[Any, Any]:
    """How many whole periods have passed, and how many steps since the last one."""
    position = ops.mod(step, period)
    return ops.round((step - position) / period), position


def elapsed(step: Any, period: float, staircase: bool, ops: Any) -> Any:
    """Time in units of `period`, or only the whole ones if it is a staircase."""
    return periods(step, period, ops)[0] if staircase else step / period


def power(base: float, exponent: Any, ops: Any) -> Any:
    """`base` to any power, 1 at 0.

    In float32 the rounding of a base near 1 would grow with the exponent; that of its
    logarithm, which is taken in float64, does not.
    """
    return ops.exp(math.log(base) * exponent)


def cosine_ramp(x: Any, ops: Any) -> Any:
    """Half a cosine wave from 0 at x = 0 to 1 at x = 1, level at both ends.

    Both ends are exact in float32 too: cos(0) is 1, and the subtraction rounds away an
    error of one unit in the last place of cos(π).
    """
    return (1.0 - ops.cos(math.pi * x)) / 2.0


def mix(start: Any, end: Any, weight: Any) -> Any:
    """Weighted mean, exactly `start` at weight 0 and exactly `end` at weight 1."""
    return start * (1.0 - weight) + end * weight
