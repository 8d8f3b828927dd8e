"""Reading and writing variables of any backend, also several as one vector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import keras
import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.keras_adapter import in_stateless_scope, raw_value
from keras_optlab.engine.backend.modules import torch_module

Pairs = list[tuple[Variable, Tensor]]  # each with its new value


class View:
    """An object with `value` and `assign` like a variable, but without storage."""

    @property
    def value(self) -> Tensor:
        """The present value."""
        raise NotImplementedError

    def assign(self, value: Tensor) -> None:
        """Write a value."""
        raise NotImplementedError

    def stored(self, value: Tensor) -> tuple[Variable, Tensor]:
        """Return a variable, or this view, with what to write into it for a value."""
        return self, value


def raw(variable: Variable) -> Variable:
    """Return the backend's variable inside a Keras variable, or the value of a view."""
    wrapped = isinstance(variable, keras.Variable | View)
    return variable.value if wrapped else variable


def read(variable: Variable) -> Tensor:
    """Return a variable's value as a plain tensor of its own dtype."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Keras reads a variable only where it is used, but at once if it was created
        # within the traced function; the two graphs would round differently
        return tf.convert_to_tensor(raw(variable))
    if keras.backend.backend() == "torch":
        return _read_on_torch(variable)
    return ops.convert_to_tensor(raw(variable))


def _read_on_torch(variable: Variable) -> Tensor:
    """Return a variable's tensor, with fewer calls than Keras' `value` makes."""
    if isinstance(variable, keras.Variable) and not in_stateless_scope():
        own = raw_value(variable)
        if own is not None:
            return own
    return ops.convert_to_tensor(raw(variable))


def to_numpy(variable: Variable) -> np.ndarray:
    """Return a variable's value as an array, also within a strategy's scope.

    NumPy cannot convert TensorFlow's mirrored variables there, and Keras no scalar of
    TensorFlow in bfloat16.
    """
    value = read(variable)
    if keras.backend.backend() == "tensorflow":
        return np.asarray(value.numpy())
    return ops.convert_to_numpy(value)


def has_value(variable: Variable) -> bool:
    """Return whether a variable is initialized, so that it can be read eagerly."""
    if keras.backend.backend() != "tensorflow":
        return True
    return bool(raw(variable).is_initialized())


def in_place(variable: Variable) -> bool:
    """Return whether an update writes into the Keras variable itself.

    It does not on JAX, nor within `stateless_apply` on any backend: values are passed
    in and out there, and only `value` and `assign` access them.
    """
    return keras.backend.backend() != "jax" and variable.value is raw_value(variable)


def cast(x: Tensor, dtype: str) -> Tensor:
    """Return a tensor in this dtype; skip `ops.cast`, which is slow, if it has it."""
    return x if str(x.dtype).endswith(dtype) else ops.cast(x, dtype)


def write(variable: Variable, at: slice, value: Tensor) -> None:
    """Write a slice of a Keras variable that is a vector."""
    if not in_place(variable):
        x = variable.value
        variable.assign(ops.concatenate([x[: at.start], value, x[at.stop :]]))
    elif keras.backend.backend() == "torch":
        with torch_module().no_grad():
            raw_value(variable)[at] = value
    else:
        raw_value(variable)[at].assign(value)


def on_cpu(variable: Variable) -> bool:
    """Return whether a variable of TensorFlow or torch lives on a CPU."""
    value = raw(variable)
    if keras.backend.backend() == "torch":
        return on_host(value)
    return "cpu" in str(value.device).lower()


def on_host(x: Tensor) -> bool:
    """Return whether Python can read a tensor of torch without waiting for a device."""
    return x.is_cpu


def flatten(xs: Sequence[Tensor]) -> Tensor:
    """Return all entries of some tensors as one vector."""
    if keras.backend.backend() == "torch":  # one call: one per tensor is slow
        return torch_module()._utils._flatten_dense_tensors(xs)
    return ops.concatenate([ops.reshape(x, (-1,)) for x in xs])


def unflatten(x: Tensor, like: Sequence[Variable]) -> list[Tensor]:
    """Undo `flatten`, given tensors of the same shapes."""
    if keras.backend.backend() == "torch":
        values = values_of(like)
        parts = torch_module()._utils._unflatten_dense_tensors(x, values)
        rows = zip(parts, values, strict=True)  # torch 2.6 gives empty ones one axis
        return [part if part.numel() else part.view_as(y) for part, y in rows]
    shapes = [tuple(y.shape) for y in like]
    ends = list(accumulate(map(math.prod, shapes)))
    x = ops.reshape(x, (ends[-1],))  # TensorFlow may lack the static length
    parts = ops.split(x, ends[:-1])
    return [ops.reshape(y, shape) for y, shape in zip(parts, shapes, strict=True)]


def values_of(variables: Sequence[Variable]) -> list[Tensor]:
    """Return the values of variables of Keras."""
    if in_place(variables[0]):
        return [raw_value(v) for v in variables]  # as `value` does, with fewer calls
    return [v.value for v in variables]


def assign_each(variables: Sequence[Variable], values: Sequence[Tensor]) -> None:
    """Write each value to its Keras variable, which has the same shape."""
    on_torch = keras.backend.backend() == "torch"
    if on_torch and variables and in_place(variables[0]):
        torch = torch_module()
        with torch.no_grad():
            torch._foreach_copy_([raw_value(v) for v in variables], list(values))
        return
    for variable, x in zip(variables, values, strict=True):
        variable.assign(x)


def copy_buffers(variables: Sequence[Variable]) -> None:
    """Give every variable its own buffer.

    JAX assigns without copying, and its trainer may donate each buffer only once.
    """
    if keras.backend.backend() == "jax":
        for variable in variables:
            variable.assign(ops.copy(variable.value))


def wait_for(variables: Sequence[Variable]) -> None:
    """Wait until the device has written variables, by reading the smallest one."""
    if variables:
        to_numpy(min(variables, key=lambda v: math.prod(v.shape)))
