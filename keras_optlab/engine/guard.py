"""The guard: whether gradients hold a NaN or an infinity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_optlab.engine.backends import branches, jax_module
from keras_optlab.engine.norms import global_norm, vectors

Tensor = Any


def all_finite(xs: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Return whether no entry is a NaN or an infinity, and the norm of all if known.

    A norm is finite only if all entries are, and takes one pass without a temporary;
    XLA's maximum on a CPU may overlook a NaN. If it is not, it may have overflowed;
    where branching costs nothing, each entry is looked at only then.
    """

    def each() -> Tensor:
        return ops.all(ops.stack([ops.all(ops.isfinite(x)) for x in xs]))

    backend = keras.backend.backend()
    if backend == "jax":
        jax = jax_module()
        if jax.default_backend() != "cpu":
            return each(), None
        xs = vectors(xs)  # to hand each tensor to a branch would take longer
        norm = global_norm(xs)
        finite = ops.isfinite(norm)
        if isinstance(finite, jax.core.Tracer):
            return jax.lax.cond(finite, lambda: jax.numpy.array(True), each), norm
        return finite if finite else each(), norm
    if not branches(xs[0]):
        return each(), None
    norm = global_norm(xs)
    finite = ops.isfinite(norm)
    if backend == "torch":
        return finite if finite else each(), norm
    import tensorflow as tf

    return tf.cond(finite, lambda: tf.constant(True), each), norm
