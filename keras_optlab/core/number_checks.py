"""Conversion of values to numbers, and the ranges that numbers are checked against."""

from __future__ import annotations

import decimal
import math
import numbers
import re
from typing import Any

import keras
import numpy as np

LARGEST_INTEGER = 2**53  # float64 represents every integer up to this one
REAL = ("float", "bfloat", "int", "uint", "longdouble")


class Interval:
    """A legal range, written as `"> 0"` or `"[0, 1)"`.

    >>> 0.5 in Interval("[0, 1)"), 1.0 in Interval("[0, 1)"), 2.0 in Interval("> 0")
    (True, False, True)
    """

    def __init__(self, text: str) -> None:
        self.text = text
        bound = re.fullmatch(r"(>=?|<=?) (\S+)", text)
        pair = re.fullmatch(r"([\[(])(\S+), (\S+)([\])])", text)
        if bound:
            sign, value = bound[1], float(bound[2])
            self.low, self.high = -math.inf, math.inf
            if sign[0] == ">":
                self.low = value
            else:
                self.high = value
            self.closed = ("=" in sign, "=" in sign)
        elif pair:
            self.low, self.high = float(pair[2]), float(pair[3])
            self.closed = (pair[1] == "[", pair[4] == "]")
        else:
            raise ValueError(
                f"expected a range such as '> 0' or '[0, 1)'. Received: {text!r}"
            )

    @property
    def phrase(self) -> str:
        """The range after "a number": `"in [0, 1)"`, or `"> 0"`."""
        return f"in {self.text}" if self.text[0] in "[(" else self.text

    def __contains__(self, x: float) -> bool:
        above = x >= self.low if self.closed[0] else x > self.low
        below = x <= self.high if self.closed[1] else x < self.high
        return math.isfinite(x) and above and below

    def nearly_hold(self, xs: np.ndarray) -> np.ndarray:
        """Return which values are inside; closed ends allow for rounding errors."""
        finite = np.isfinite(xs)
        slack = 1e-6 * np.max(np.abs(xs[finite]), initial=0.0)
        above = xs >= self.low - slack if self.closed[0] else xs > self.low
        below = xs <= self.high + slack if self.closed[1] else xs < self.high
        return finite & above & below


def is_integer(value: Any) -> bool:
    """Return whether a value is an integer of Python or NumPy, and no bool or time."""
    return isinstance(value, int | np.integer) and not isinstance(
        value, bool | np.timedelta64
    )


def as_number(value: Any) -> float | None:
    """Return any single real number (Python, NumPy, tensor) as a float, else `None`.

    An integer beyond the range of floats is infinite.

    >>> as_number(np.float32(0.5)), as_number(np.array(2)), as_number(10**400)
    (0.5, 2.0, inf)
    >>> as_number("0.5"), as_number(True), as_number(np.array(0.5j)), as_number([1])
    (None, None, None, None)
    """
    if type(value) is float:
        return value
    dtype = getattr(value, "dtype", None)
    if dtype is not None:
        name = getattr(dtype, "name", None) or str(dtype)
        name = name.rpartition(".")[2]  # torch.float32
        if not name.startswith(REAL) or tuple(getattr(value, "shape", (0,))) != ():
            return None
    elif isinstance(value, bool) or not isinstance(
        value, numbers.Real | decimal.Decimal
    ):
        return None
    single: Any = getattr(value, "value", value)  # a variable's tensor
    try:
        # torch warns of a tensor that requires a gradient
        return float(single.detach() if hasattr(single, "detach") else single)
    except OverflowError:
        return math.inf if single > 0 else -math.inf
    except (TypeError, ValueError, RuntimeError):  # a symbolic tensor
        return None


def in_step_precision(number: float) -> float:
    """Return a number as the dtype of scalars holds it: infinite or 0 out of range."""
    dtype = "float64" if keras.config.floatx() == "float64" else "float32"
    limits = np.finfo(dtype)
    if abs(number) > float(limits.max):
        return math.copysign(math.inf, number)
    return 0.0 if abs(number) < float(limits.tiny) else number
