"""Conversion of gradients (tensors, sparse or not, arrays, lists) to tensors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.modules import torch_module


def as_gradients(gradients: Sequence[Any], variables: Sequence[Variable]) -> list[Any]:
    """Return gradients as tensors of the backend; sparse ones stay sparse.

    Arrays and lists get the dtype of their weight. On TensorFlow the static shape is
    set, which some gradients lack, such as those of a `Dense` on three axes with a
    variable batch size.

    Args:
        gradients: Tensors, arrays, or nested lists of numbers.
        variables: The weights, each with the shape of its gradient.
    """
    pairs = zip(gradients, variables, strict=True)
    if keras.backend.backend() == "tensorflow":
        return [_on_tensorflow(g, v) for g, v in pairs]
    if keras.backend.backend() == "torch":
        tensor = torch_module().Tensor
        if all(isinstance(g, tensor) for g in gradients):
            return list(gradients)
    return [
        g if ops.is_tensor(g) else ops.convert_to_tensor(np.asarray(g), v.dtype)
        for g, v in pairs
    ]


def is_sparse(gradient: Any) -> bool:
    """Return whether a gradient holds only some rows, as that of an embedding can."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return isinstance(gradient, tf.IndexedSlices)
    if backend == "jax":
        from jax.experimental.sparse import JAXSparse

        return isinstance(gradient, JAXSparse)
    return False


def divisible(gradients: Sequence[Any], scale: float | None) -> Sequence[Any]:
    """Return gradients that Keras can divide by the scale of the loss, if there is one.

    Keras writes `gradient / scale`, which TensorFlow's sparse gradients do not have.
    """
    if scale is None or keras.backend.backend() != "tensorflow":
        return gradients
    kind = _divisible_slices()
    return [
        kind(g.values, g.indices, g.dense_shape) if is_sparse(g) else g
        for g in gradients
    ]


@functools.cache
def _divisible_slices() -> Any:
    import tensorflow as tf

    class DivisibleSlices(tf.IndexedSlices):
        """A sparse gradient with the operator of a tensor."""

        def __truediv__(self, divisor: Any) -> Any:
            values = self.values / tf.cast(divisor, self.values.dtype)
            return tf.IndexedSlices(values, self.indices, self.dense_shape)

    return DivisibleSlices


def _on_tensorflow(gradient: Any, variable: Variable) -> Any:
    import tensorflow as tf

    if isinstance(gradient, tf.IndexedSlices):
        return gradient
    if not tf.is_tensor(gradient):
        dtype = keras.backend.standardize_dtype(variable.dtype)
        gradient = tf.cast(np.asarray(gradient), dtype)
    gradient = tf.convert_to_tensor(gradient)
    gradient.set_shape(variable.shape)
    return gradient


def dense(gradients: Sequence[Any], variables: Sequence[Variable]) -> list[Tensor]:
    """Return dense gradients; rows that occur twice in a sparse gradient are summed.

    Args:
        gradients: Gradients as an optimizer receives them.
        variables: The weights, each with the shape of its gradient.
    """
    given = as_gradients(gradients, variables)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # Keras' own conversion keeps slices

        return as_gradients([tf.convert_to_tensor(g) for g in given], variables)
    if keras.backend.backend() == "torch":
        return given
    return [ops.convert_to_tensor(g, sparse=False) for g in given]
