"""Functions of TensorFlow, JAX and torch; only the backend in use is imported."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from keras_optlab.core.types import Tensor


def holds_state(x: Any) -> bool:
    """Return whether this is a variable of TensorFlow or a tensor of torch."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return isinstance(x, tf.Variable)
    return keras.backend.backend() == "torch" and torch_module().is_tensor(x)


def copied(x: Any) -> Tensor:
    """Return the value of a variable in memory of its own."""
    value = x.value if isinstance(x, keras.Variable) else x
    if keras.backend.backend() == "torch":
        return value.detach().clone()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.identity(value)
    return ops.copy(value)


@contextlib.contextmanager
def in_training_mode(model: Any) -> Iterator[None]:
    """Have torch's modules in a model train, as `fit` does, within the context."""
    if keras.backend.backend() != "torch":
        yield
        return
    before = [(x, x.training) for x in model.modules()]
    model.train()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def modules() -> tuple[type, ...]:
    """Return the backend's class of objects with variables, if it has such a class."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return (tf.Module,)
    return (torch_module().nn.Module,) if keras.backend.backend() == "torch" else ()


def count_each(x: Tensor, n: int) -> Tensor:
    """Return how often each of the integers 0 to n - 1 occurs in a vector of them."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # `tf.math.bincount` measures the size of its result, which XLA cannot compile
        size, each_once = tf.constant(n, x.dtype), tf.constant([], "int32")
        return tf.raw_ops.DenseBincount(input=x, size=size, weights=each_once)
    if backend == "jax":
        import jax

        return jax.numpy.bincount(x, length=n)
    return ops.bincount(x, minlength=n)


def eager_scope() -> contextlib.AbstractContextManager[Any]:
    """Return a context that runs operations eagerly, also while TensorFlow traces."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.init_scope()


def default_graph() -> Any:
    """Return the graph that TensorFlow traces into, `None` if it runs eagerly."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()


def jax_module() -> Any:
    """Return the module `jax`, imported only if it is the backend."""
    import jax

    return jax


def torch_module() -> Any:
    """Return the module `torch`, imported only if it is the backend."""
    import torch

    return torch
