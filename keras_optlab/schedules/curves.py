"""Functions of time that schedules are built from.

Each takes `ops`, which is `numpy` or `keras.ops`; the formulas are the same for both.
With `numpy` all is float64. With `keras.ops` a step is an integer tensor, since float32
cannot count beyond 2**24: steps are subtracted, compared and divided into periods as
integers, and only the result is cast to float. If lengths are tensors too, as those of
a span are, all are floats.

A compiler may replace division by a constant with multiplication by its reciprocal, so
x / x is not always 1. Values that must be exact are computed without a division.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from keras_optlab.core.numerics import scalar_dtype

COUNTS = 2**53  # float64 counts exactly up to here


def as_float(x: Any, ops: Any) -> Any:
    """Cast `x` to the dtype of a schedule's value; NumPy's is float64 already."""
    return x if ops is np else ops.cast(x, scalar_dtype())


def last_of(step: Any) -> float:
    """Return the largest step that the dtype of `step` counts; infinite for floats."""
    dtype = keras.backend.standardize_dtype(step.dtype)
    return min(np.iinfo(dtype).max, COUNTS) if "int" in dtype else math.inf


def is_number(x: Any) -> bool:
    """Return whether `x` is a Python or NumPy number, and not a tensor."""
    return isinstance(x, int | float | np.number)


def since(begin: float, step: Any, ops: Any) -> Any:
    """Return the steps since `begin`, 0 before it; an integer if `step` is one."""
    if is_number(begin):
        begin = min(begin, last_of(step))
    # `ops.maximum` would be shorter, but computes in float32 on torch.
    return ops.where(step > begin, step - begin, ops.zeros_like(step))


def until(moment: float, step: Any, ops: Any) -> Any:
    """Return the time from `step` to `moment`, an integer or not; negative later."""
    if not is_number(moment):
        return moment - step
    whole = min(math.floor(moment), last_of(step))
    return as_float(whole - step, ops) + float(moment - whole)


def before(moment: float, step: Any, ops: Any) -> Any:
    """Return whether `step` is before `moment`."""
    return until(moment, step, ops) > 0


def shares(begin: float, end: float, step: Any, ops: Any) -> tuple[Any, Any]:
    """Return the remaining and the elapsed fraction of the time from `begin` to `end`.

    They are 1 and 0 until `begin`, 0 and 1 from `end` on. Each is computed on its own:
    near the end of a million steps, 1 - elapsed would be mostly rounding error.
    """
    ahead, over = until(end, step, ops), -until(begin, step, ops)
    length = end - begin
    return parts(ahead, over, float(length) if is_number(length) else length, ops)


def parts(ahead: Any, over: Any, length: Any, ops: Any) -> tuple[Any, Any]:
    """Return the remaining and the elapsed time as fractions of a length, in [0, 1]."""
    begun, ended = over > 0, ahead <= 0
    remaining = ops.where(begun, ops.where(ended, 0.0, ahead / length), 1.0)
    elapsed = ops.where(ended, 1.0, ops.where(begun, over / length, 0.0))
    return remaining, elapsed


def number_begun(moments: Any, step: Any, ops: Any) -> Any:
    """Return how many of the moments, in increasing order, are not after `step`."""
    if isinstance(moments, np.ndarray):
        if last_of(step) < math.inf:
            moments = np.ceil(moments[moments <= last_of(step)])
        moments = ops.array(_typed(moments, step))
    # TensorFlow's searchsorted takes vectors only.
    found = ops.searchsorted(moments, ops.reshape(step, (-1,)), side="right")
    return ops.reshape(found, ops.shape(step))


def until_each(moments: Any, index: Any, step: Any, ops: Any) -> Any:
    """Return the time from `step` to the moments at `index`, as `until` does."""
    if not isinstance(moments, np.ndarray):
        return ops.take(moments, index) - step
    whole = np.minimum(np.floor(moments), last_of(step))
    rest = ops.array(moments - whole, dtype=scalar_dtype() if ops is not np else None)
    whole = ops.array(_typed(whole, step))
    return as_float(ops.take(whole, index) - step, ops) + ops.take(rest, index)


def _typed(x: np.ndarray, step: Any) -> np.ndarray:
    return x.astype(keras.backend.standardize_dtype(step.dtype))


def periods(period: float, step: Any, ops: Any) -> tuple[Any, Any]:
    """Return the number of elapsed periods, a float, and the step within a period."""
    if is_number(period) and period > last_of(step):
        return as_float(ops.zeros_like(step), ops), step
    position = step % period
    if last_of(step) < math.inf:
        return as_float(step // period, ops), position
    return as_float(ops.round((step - position) / period), ops), position


def in_periods(period: float, staircase: bool, step: Any, ops: Any) -> Any:
    """Return the time in units of `period`, rounded down for a staircase."""
    if staircase:
        return periods(period, step, ops)[0]
    length = float(period) if is_number(period) else period  # JAX integers: 32 bits
    return as_float(step, ops) / length


def power(base: float, exponent: Any, ops: Any) -> Any:
    """Return `base` to any power; exactly 1 at exponent 0.

    In float32 the rounding error of a base near 1 would grow with the exponent. The
    logarithm of the base avoids this: it is computed in float64.
    """
    return ops.exp(math.log(base) * exponent)


def cosine_ramp(x: Any, ops: Any) -> Any:
    """Return half a cosine wave from 0 at x = 0 to 1 at x = 1, flat at both ends.

    It is (1 - cos(π x)) / 2, computed as a squared sine, which is accurate near 0. Both
    ends are exact in float32 too. The ramps of two fractions with sum 1 have sum 1.
    """
    return ops.square(ops.sin(math.pi / 2 * x))
