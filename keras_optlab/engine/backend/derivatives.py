"""Derivatives of a function of one vector, as functions of NumPy arrays.

The given function is pure; it takes a tensor and returns a scalar or a vector. The
returned functions take arrays and return float64 arrays. They are compiled on
TensorFlow and JAX.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.modules import jax_module, torch_module
from keras_optlab.engine.backend.repeatable import twice_differentiable

Function = Callable[[Tensor], Tensor]
Derivative = Callable[..., Any]

COLUMNS = 64  # of a Jacobian computed at once


def value_and_gradient(function: Function, dtype: str) -> Derivative:
    """Return a function of the vector that returns a scalar and its gradient."""
    backend = keras.backend.backend()
    if backend == "jax":
        return _of_arrays(_jitted(jax_module().value_and_grad(function)), dtype)
    if backend == "torch":
        both = torch_module().func.grad_and_value(function)
        return _of_arrays(lambda w: both(w)[::-1], dtype)
    return _of_arrays(_graph(lambda w: _tf_value_and_gradient(function, w)), dtype)


def hessian_product(function: Function, dtype: str) -> Derivative:
    """Return a function of two vectors w, v: the scalar's Hessian at w times v."""
    backend = keras.backend.backend()
    if backend == "jax":
        jax = jax_module()
        slope = jax.grad(function)
        return _of_arrays(_jitted(lambda w, v: jax.jvp(slope, (w,), (v,))[1]), dtype)
    if backend == "torch":
        func = torch_module().func
        slope = func.grad(function)

        def of_torch(w: Tensor, v: Tensor) -> Tensor:
            # reverse over reverse, since few backward passes have a forward mode
            with twice_differentiable():
                return func.grad(lambda at: (slope(at) * v).sum())(w)

        return _of_arrays(of_torch, dtype)

    def product(w: Tensor, v: Tensor) -> Tensor:
        def along(at: Tensor) -> Tensor:
            return ops.sum(_tf_value_and_gradient(function, at)[1] * v)

        with twice_differentiable():
            return _tf_value_and_gradient(along, w)[1]

    return _of_arrays(_graph(product), dtype)


def jacobian(function: Function, dtype: str) -> Derivative:
    """Return a function of the vector that returns the Jacobian, column by column."""
    backend = keras.backend.backend()
    if backend == "torch":
        return _of_arrays(lambda w: _torch_jacobian(function, w), dtype)
    if backend == "jax":
        jax = jax_module()

        def columns(w: Tensor) -> Tensor:
            def along(v: Tensor) -> Tensor:
                return jax.jvp(function, (w,), (v,))[1]

            basis = jax.numpy.eye(w.size, dtype=w.dtype)
            return jax.lax.map(along, basis, batch_size=COLUMNS).T

        return _of_arrays(_jitted(columns), dtype)
    return _of_arrays(_graph(lambda w: _tf_jacobian(function, w)), dtype)


def evaluated(function: Function, dtype: str) -> Derivative:
    """Return the function itself, with arrays as argument and result."""
    backend = keras.backend.backend()
    compiled = {"jax": _jitted, "tensorflow": _graph}.get(backend, lambda f: f)
    return _of_arrays(compiled(function), dtype)


def _of_arrays(function: Callable[..., Any], dtype: str) -> Derivative:
    """Return a function of tensors as a function of arrays."""

    def array(x: Tensor) -> np.ndarray:
        return np.asarray(ops.convert_to_numpy(x), "float64")

    def call(*arrays: np.ndarray) -> Any:
        result = function(*(ops.convert_to_tensor(x, dtype) for x in arrays))
        several = isinstance(result, tuple | list)
        return tuple(map(array, result)) if several else array(result)

    return call


def _jitted(function: Callable[..., Any]) -> Callable[..., Any]:
    return jax_module().jit(function)


def _graph(function: Callable[..., Any]) -> Callable[..., Any]:
    import tensorflow as tf

    return tf.function(function, autograph=False)


def _tf_value_and_gradient(function: Function, w: Tensor) -> tuple[Tensor, Tensor]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(w)
        value = function(w)
    zero = tf.UnconnectedGradients.ZERO
    slope = tape.gradient(value, w, unconnected_gradients=zero)
    return value, tf.convert_to_tensor(slope)


def _tf_jacobian(function: Function, w: Tensor) -> Tensor:
    import tensorflow as tf

    def along(v: Tensor) -> Tensor:
        # double backward, as loops have no forward mode: J v is the gradient of u J v
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                tape.watch(w)
                value = function(w)
            u = tf.zeros_like(value)
            outer.watch(u)
            slope = tf.convert_to_tensor(tape.gradient(value, w, output_gradients=u))
        return outer.gradient(slope, u, output_gradients=v)

    return tf.transpose(tf.map_fn(along, tf.eye(w.shape[0], dtype=w.dtype)))


def _torch_jacobian(function: Function, w: Tensor) -> Tensor:
    torch = torch_module()

    def along(v: Tensor) -> Tensor:
        return torch.func.jvp(function, (w,), (v,))[1]

    basis = torch.eye(w.numel(), dtype=w.dtype, device=w.device)
    return torch.func.vmap(along, chunk_size=COLUMNS)(basis).T
