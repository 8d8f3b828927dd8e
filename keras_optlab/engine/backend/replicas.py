"""Replicas of a `tf.distribute` strategy: detecting them, and summing over them."""

from __future__ import annotations

import contextlib
from typing import Any

import keras

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.torch_processes import (
    max_over_processes,
    process_count,
)


def sum_over_replicas(gradients: list[Tensor]) -> list[Tensor]:
    """Add up the replicas' gradients under a `tf.distribute` strategy."""
    context = replica_context()
    if context is None or not gradients:
        return gradients
    import tensorflow as tf

    sums = list(gradients)
    for dtype in dict.fromkeys(g.dtype for g in gradients):  # it takes one at a time
        at = [i for i, g in enumerate(gradients) if g.dtype == dtype]
        some = [gradients[i] for i in at]
        added = context.all_reduce(tf.distribute.ReduceOp.SUM, some)
        for i, x in zip(at, added, strict=True):
            sums[i] = x
    return sums


def max_over_replicas(x: Tensor) -> Tensor:
    """Return the largest value of each entry over replicas, or processes of torch."""
    if process_count() > 1:
        return max_over_processes(x)
    context = replica_context()
    if context is None:
        return x
    return keras.ops.max(context.all_gather(x[None], axis=0), axis=0)


def distributed() -> bool:
    """Return whether this runs within the scope of a `tf.distribute` strategy."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.has_strategy()


def is_distributed(model: Any) -> bool:
    """Return whether a `tf.distribute` strategy trains a model."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return (
        distributed() or model.distribute_strategy is not tf.distribute.get_strategy()
    )


def in_replica() -> bool:
    """Return whether this runs in a replica of a `tf.distribute` strategy."""
    return replica_context() is not None


def replica_context() -> Any:
    """Return TensorFlow's replica context in a replica of a strategy, else `None`."""
    if not distributed():
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()


def scope_of(weight: Variable) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which new variables are placed like a weight."""
    value = weight.value if isinstance(weight, keras.Variable) else weight
    strategy = getattr(value, "distribute_strategy", None)  # of TensorFlow
    return contextlib.nullcontext() if strategy is None else strategy.scope()
