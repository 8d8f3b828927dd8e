"""Views: several variables as one vector, a part of a vector or array, and rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.variables import (
    View,
    assign_each,
    flatten,
    raw,
    unflatten,
    values_of,
    write,
)
from keras_optlab.engine.weights.rows import read_rows, write_rows

Shape = tuple[int, ...]


class Joined(View):
    """Several variables, read and written as one vector."""

    def __init__(self, variables: list[Variable]) -> None:
        self.variables = variables
        self.shape = (sum(math.prod(v.shape) for v in variables),)
        self.dtype = variables[0].dtype

    @property
    def value(self) -> Tensor:
        """All values, one variable after the other."""
        return flatten(values_of(self.variables))

    def assign(self, value: Tensor) -> None:
        """Write all values."""
        assign_each(self.variables, unflatten(value, self.variables))

    def assign_add(self, value: Tensor) -> None:
        """Add to all values, on TensorFlow; Keras' method would read and write each."""
        for variable, x in zip(
            self.variables, unflatten(value, self.variables), strict=True
        ):
            raw(variable).assign_add(x)


class Part(View):
    """A slice of a vector from `start` on, read and written in a shape of its own."""

    def __init__(self, whole: Variable, start: int, shape: Shape, path: str) -> None:
        self.whole = whole
        self.at = slice(start, start + math.prod(shape))
        self.shape = shape
        self.path = path
        self.dtype = whole.dtype

    @property
    def value(self) -> Tensor:
        """Its present value."""
        return ops.reshape(self.whole.value[self.at], self.shape)

    def assign(self, value: Any) -> None:
        """Write the part and leave the rest alone."""
        x = ops.convert_to_tensor(value, self.dtype)
        write(self.whole, self.at, ops.reshape(x, (-1,)))

    def numpy(self) -> np.ndarray:
        """Return its value as an array."""
        return ops.convert_to_numpy(self.value)


class Unpadded(View):
    """The first entries along each axis of a variable that is longer.

    Axes are padded so that they can be divided over devices.
    """

    def __init__(self, whole: Variable, shape: Shape) -> None:
        self.whole = whole
        self.variables = [whole]
        self.shape = shape
        self.path = whole.path
        self.dtype = whole.dtype

    @property
    def value(self) -> Tensor:
        """Its present value."""
        return self.whole.value[tuple(slice(n) for n in self.shape)]

    def stored(self, value: Any) -> tuple[Variable, Tensor]:
        """Return the variable with a value for it, padded by zeros."""
        x = ops.convert_to_tensor(value, self.dtype)
        lengths = zip(self.whole.shape, self.shape, strict=True)
        return self.whole, ops.pad(x, [(0, whole - n) for whole, n in lengths])

    def assign(self, value: Any) -> None:
        """Write its value."""
        whole, x = self.stored(value)
        whole.assign(x)

    def numpy(self) -> np.ndarray:
        """Return its value as an array."""
        return ops.convert_to_numpy(self.value)


def slot_of(whole: Variable, shape: Shape) -> Variable:
    """Return a variable as a slot of this shape."""
    shape = tuple(map(int, shape))
    return whole if tuple(whole.shape) == shape else Unpadded(whole, shape)


class Rows(View):
    """Distinct rows of a variable."""

    def __init__(self, variable: Variable, at: Tensor) -> None:
        self.variable = variable
        self.at = at
        self.shape = (at.shape[0], *variable.shape[1:])
        self.dtype = variable.dtype

    @property
    def value(self) -> Tensor:
        """Their present values."""
        return read_rows(self.variable, self.at)

    def assign(self, value: Tensor) -> None:
        """Write the rows and leave the others alone."""
        write_rows(self.variable, self.at, value)
