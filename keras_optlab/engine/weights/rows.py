"""Sparse gradients, such as an embedding's, and single rows of variables."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.variables import View, raw


def touched_rows(gradient: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return the distinct rows of a sparse gradient, and the summed gradient of each.

    Under XLA and on JAX shapes are fixed, so duplicates are replaced by rows beyond the
    last one, which are never written. Return `None` if the gradient is not sparse.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if not isinstance(gradient, tf.IndexedSlices):
            return None
        if in_xla():
            return _as_many_rows(gradient)
        at, which = tf.unique(gradient.indices)
        count = tf.size(at)
        return at, tf.math.unsorted_segment_sum(gradient.values, which, count)
    if backend == "jax":
        import jax
        from jax.experimental.sparse import BCOO

        if not isinstance(gradient, BCOO) or gradient.n_sparse != 1:
            return None
        beyond, n = gradient.shape[0], gradient.nse
        at, which = jax.numpy.unique(
            gradient.indices[:, 0], return_inverse=True, size=n, fill_value=beyond
        )
        return at, jax.ops.segment_sum(gradient.data, which.reshape(-1), n)
    return None


def _as_many_rows(gradient: Any) -> tuple[Tensor, Tensor]:
    """Return the distinct rows, padded by rows beyond the last one with sum zero."""
    import tensorflow as tf

    order = tf.argsort(gradient.indices)
    at, n = tf.gather(gradient.indices, order), tf.size(order)
    is_new = tf.cast(at[1:] != at[:-1], "int32")
    which = tf.concat([tf.zeros_like(at[:1], "int32"), tf.cumsum(is_new)], axis=0)
    sums = tf.math.unsorted_segment_sum(tf.gather(gradient.values, order), which, n)
    at = tf.math.unsorted_segment_max(at, which, n)  # negative for padding
    height = tf.cast(gradient.dense_shape[0], at.dtype)
    return tf.where(at < 0, height, at), sums


def read_rows(variable: Variable, at: Tensor) -> Tensor:
    """Return some rows of a variable, without reading the others."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(raw(variable), at)
    return raw(variable)[at]


def write_rows(variable: Variable, at: Tensor, value: Tensor) -> None:
    """Write some rows of a variable."""
    if isinstance(variable, View):
        variable.assign(ops.scatter_update(variable.value, at[:, None], value))
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        raw(variable).scatter_update(tf.IndexedSlices(value, at))
    else:
        variable.assign(raw(variable).at[at].set(value, mode="drop"))


def in_xla() -> bool:
    """Return whether XLA will compile the graph that TensorFlow traces now."""
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util  # has no public name

    graph = tf.compat.v1.get_default_graph()
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(
        graph
    )
