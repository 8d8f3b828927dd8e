"""Norms of tensors, each in one pass over its entries."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from keras_optlab.core import numerics
from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.layouts import mesh
from keras_optlab.engine.backend.modules import torch_module
from keras_optlab.engine.backend.variables import flatten

FEW = 2**16  # entries of a tensor; below, JAX is faster on one joined copy
FEW_ON_TORCH = 2**13  # the same for torch


def norm(x: Tensor) -> Tensor:
    """Return the Euclidean norm of all entries."""
    if keras.backend.backend() == "tensorflow":
        return ops.sqrt(_squares(x))
    return numerics.norm(x)


def global_norm(xs: Sequence[Tensor]) -> Tensor:
    """Return the Euclidean norm of all entries of all tensors, in float32 or wider."""
    backend = keras.backend.backend()
    if backend == "torch":
        torch = torch_module()
        norms = torch._foreach_norm(joined_on_torch(xs))
        return numerics.wide(torch.stack(norms).norm())
    if mesh() is not None:  # a joined copy, or a vector, would gather what is divided
        return ops.sqrt(numerics.wide_sum([ops.sum(ops.square(x)) for x in xs]))
    if backend == "jax":
        # JAX on a CPU sums `vdot` in parallel
        return ops.sqrt(numerics.wide_sum([ops.vdot(x, x) for x in vectors(xs)]))
    return ops.sqrt(numerics.wide_sum([_squares(x) for x in xs]))


def vectors(xs: Sequence[Tensor]) -> list[Tensor]:
    """Return all entries of tensors as vectors; small tensors share one vector."""
    small = [x for x in xs if x.size < FEW]
    big = [ops.reshape(x, (-1,)) for x in xs if x.size >= FEW]
    return big + ([flatten(small)] if small else [])


def joined_on_torch(xs: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors with all entries; small tensors of one dtype share a vector."""
    small, big = [], []
    for x in xs:
        (small if x.numel() < FEW_ON_TORCH else big).append(x)
    same = len({x.dtype for x in small}) == 1 < len(small)
    return [*big, flatten(small)] if same else list(xs)


def _squares(x: Tensor) -> Tensor:
    import tensorflow as tf

    return 2 * tf.nn.l2_loss(x)  # `x * x` would allocate a copy
