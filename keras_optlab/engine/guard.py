"""The guard: whether gradients hold a NaN or an infinity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_optlab.engine.backends import branches, flat, jax_module, torch_module

Tensor = Any

FEW = 2**16  # entries that are sooner copied than looked through by themselves


def all_finite(xs: Sequence[Tensor]) -> Tensor:
    """Return whether no entry is a NaN or an infinity.

    A sum is finite only if all its terms are, and takes one pass without a temporary.
    If it is not, it may have overflowed; where branching costs nothing, each entry is
    looked at only then.
    """

    def each() -> Tensor:
        return ops.all(ops.stack([ops.all(ops.isfinite(x)) for x in xs]))

    backend = keras.backend.backend()
    if backend == "jax" and jax_module().default_backend() == "cpu":
        finite = _squares_are_finite(xs)
        if not isinstance(finite, jax_module().core.Tracer):
            return finite if finite else each()
        return jax_module().lax.cond(
            finite, lambda: jax_module().numpy.array(True), each
        )
    if not branches(xs[0]):
        return each()
    if backend == "torch":
        torch = torch_module()
        finite = torch.isfinite(torch.stack(torch._foreach_norm(xs)).sum())
        return finite if finite else each()
    import tensorflow as tf

    sums = [tf.cast(tf.reduce_sum(x), "float32") for x in xs]
    return tf.cond(tf.math.is_finite(tf.add_n(sums)), lambda: tf.constant(True), each)


def _squares_are_finite(xs: Sequence[Tensor]) -> Tensor:
    """Return whether sums of squares are, which JAX on a CPU makes in parallel.

    It adds plain sums one by one, and its maximum may overlook a NaN.
    """
    small = [x for x in xs if x.size < FEW]
    several = [x for x in xs if x.size >= FEW] + ([flat(small)] if small else [])
    vectors = [ops.reshape(x, (-1,)) for x in several]
    squares = [ops.cast(ops.vdot(x, x), "float32") for x in vectors]
    return ops.all(ops.isfinite(ops.stack(squares)))
