"""Factors of a preconditioner, one per axis: a matrix, or only its diagonal."""

from __future__ import annotations

from keras import ops

from keras_optlab.core.matrices import times_along, unfold
from keras_optlab.core.types import Tensor


def multiply_along(x: Tensor, q: Tensor, axis: int) -> Tensor:
    """Multiply the vectors along an axis by a factor."""
    return (
        times_along(x, q, axis) if len(q.shape) == 2 else x * broadcastable(q, x, axis)
    )


def solve_along(x: Tensor, q: Tensor, axis: int) -> Tensor:
    """Multiply the vectors along an axis by the inverse of a factor's transpose."""
    if len(q.shape) == 1:
        return x / broadcastable(q, x, axis)
    rows = unfold(x, axis)
    found = ops.solve_triangular(ops.transpose(q), rows, lower=True)
    moved = tuple(n for i, n in enumerate(x.shape) if i != axis)
    return ops.moveaxis(ops.reshape(found, (q.shape[0], *moved)), 0, axis)


def transposed(q: Tensor) -> Tensor:
    """Return the transpose of a factor."""
    return ops.transpose(q) if len(q.shape) == 2 else q


def broadcastable(q: Tensor, x: Tensor, axis: int) -> Tensor:
    """Reshape a diagonal so that it broadcasts along an axis of a tensor."""
    return ops.reshape(q, [-1 if i == axis else 1 for i in range(len(x.shape))])
