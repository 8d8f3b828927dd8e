"""The functions of time that schedules are made of.

Each takes `ops`, which is `numpy` or `keras.ops`; the formulas are the same for both.
With `numpy` all is float64. With `keras.ops` a step is an integer tensor, since float32
cannot count beyond 2**24: steps are subtracted, compared and divided into periods as
integers, and only the result becomes a float.

A compiler may divide by a constant in multiplying by its reciprocal, so that x / x is
not always 1. What has to be exact does not rest on a division.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

COUNTS = 2**53  # to here, in float64 too


def value_dtype() -> str:
    """Return the type of a schedule's value: floatx, but never below float32."""
    return "float64" if keras.config.floatx() == "float64" else "float32"


def as_float(x: Any, ops: Any) -> Any:
    """`x` in the type of a schedule's value; under NumPy it is float64 already."""
    return x if ops is np else ops.cast(x, value_dtype())


def last_of(step: Any) -> float:
    """Return the largest integer of the type of `step`; infinite if it is a float."""
    dtype = keras.backend.standardize_dtype(step.dtype)
    return min(np.iinfo(dtype).max, COUNTS) if "int" in dtype else math.inf


def since(begin: float, step: Any, ops: Any) -> Any:
    """Number of steps since `begin`, 0 before it; an integer if `step` is one."""
    begin = min(begin, last_of(step))
    # Keras' maximum would be shorter, but is float32 on torch.
    return ops.where(step > begin, step - begin, ops.zeros_like(step))


def until(moment: float, step: Any, ops: Any) -> Any:
    """Time from `step` to `moment`, which may lie between two steps; negative after."""
    whole = min(math.floor(moment), last_of(step))
    return as_float(whole - step, ops) + float(moment - whole)


def before(moment: float, step: Any, ops: Any) -> Any:
    """Whether `step` lies before `moment`."""
    return until(moment, step, ops) > 0


def shares(begin: float, end: float, step: Any, ops: Any) -> tuple[Any, Any]:
    """Share of the time from `begin` to `end` that remains, and the one that is over.

    1 and 0 until `begin`, 0 and 1 from `end` on. Each is computed by itself: near the
    end of a million steps, 1 minus what is over would be mostly rounding.
    """
    ahead, over = until(end, step, ops), -until(begin, step, ops)
    return parts(ahead, over, float(end - begin), ops)


def parts(ahead: Any, over: Any, length: Any, ops: Any) -> tuple[Any, Any]:
    """What is ahead and what is over as shares of a length, from 0 to 1."""
    begun, ended = over > 0, ahead <= 0
    remaining = ops.where(begun, ops.where(ended, 0.0, ahead / length), 1.0)
    elapsed = ops.where(ended, 1.0, ops.where(begun, over / length, 0.0))
    return remaining, elapsed


def number_begun(moments: np.ndarray, step: Any, ops: Any) -> Any:
    """How many of some moments, in increasing order, are not after `step`."""
    if last_of(step) < math.inf:
        moments = np.ceil(moments[moments <= last_of(step)])
    table = ops.array(_typed(moments, step))
    # TensorFlow looks up vectors only.
    found = ops.searchsorted(table, ops.reshape(step, (-1,)), side="right")
    return ops.reshape(found, ops.shape(step))


def until_each(moments: np.ndarray, index: Any, step: Any, ops: Any) -> Any:
    """Time from `step` to the moments at these indices, as `until` has it."""
    whole = np.minimum(np.floor(moments), last_of(step))
    rest = ops.array(moments - whole, dtype=value_dtype() if ops is not np else None)
    whole = ops.array(_typed(whole, step))
    return as_float(ops.take(whole, index) - step, ops) + ops.take(rest, index)


def _typed(x: np.ndarray, step: Any) -> np.ndarray:
    return x.astype(keras.backend.standardize_dtype(step.dtype))


def periods(period: int, step: Any, ops: Any) -> tuple[Any, Any]:
    """How many whole periods are over, a float, and the step within the present one."""
    if period > last_of(step):
        return as_float(ops.zeros_like(step), ops), step
    position = step % period
    if last_of(step) < math.inf:
        return as_float(step // period, ops), position
    return as_float(ops.round((step - position) / period), ops), position


def in_periods(period: int, staircase: bool, step: Any, ops: Any) -> Any:
    """Time in units of `period`, or only the whole ones if it is a staircase."""
    if staircase:
        return periods(period, step, ops)[0]
    return as_float(step, ops) / float(period)  # JAX' integers have 32 bits


def power(base: float, exponent: Any, ops: Any) -> Any:
    """`base` to any power, 1 at 0.

    In float32 the rounding of a base near 1 would grow with the exponent; that of its
    logarithm, which is taken in float64, does not.
    """
    return ops.exp(math.log(base) * exponent)


def cosine_ramp(x: Any, ops: Any) -> Any:
    """Half a cosine wave from 0 at x = 0 to 1 at x = 1, level at both ends.

    It is (1 - cos(π x)) / 2, and as a squared sine also accurate near 0. Both ends are
    exact in float32 too. The ramps of two shares whose sum is 1 have the sum 1.
    """
    return ops.square(ops.sin(math.pi / 2 * x))
