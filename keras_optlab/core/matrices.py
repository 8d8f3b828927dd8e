"""Weights as matrices, and matrix functions: roots, norms, scales."""

from __future__ import annotations

import math
from collections.abc import Callable

from keras import ops

from keras_optlab.core.numerics import maximum, norm
from keras_optlab.core.types import Tensor

Shape = tuple[int, ...]


def matrix_shape(shape: Shape) -> Shape:
    """Return rows and columns of a weight: all axes but the last are rows."""
    return math.prod(shape[:-1]), shape[-1]


def unfold(x: Tensor, axis: int) -> Tensor:
    """Return a tensor as a matrix with a row for each position along an axis."""
    if len(x.shape) == 0:
        return ops.reshape(x, (1, 1))
    rest = math.prod(x.shape) // max(x.shape[axis], 1)
    return ops.reshape(ops.moveaxis(x, axis, 0), (x.shape[axis], rest))


def times_along(x: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Multiply the vectors along an axis by a matrix from the left."""
    if len(x.shape) == 0:
        return x * matrix[0, 0]
    moved = tuple(n for i, n in enumerate(x.shape) if i != axis)
    product = ops.reshape(matrix @ unfold(x, axis), (matrix.shape[0], *moved))
    return ops.moveaxis(product, 0, axis)


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues and eigenvectors, with NaN and infinite entries taken as 0.

    torch would raise for them. The caller stores the matrix as it is in a slot, where
    the engine detects them.
    """
    return ops.eigh(ops.where(ops.isfinite(matrix), matrix, 0.0))


def inverse_root(matrix: Tensor, order: int) -> Tensor:
    r"""Return $A^{-1/p}$ of a symmetric positive definite matrix."""
    values, vectors = eigh(matrix)
    smallest = 1e-30 * ops.ones_like(values)
    powers = ops.power(maximum(values, smallest), -1 / order)
    return (vectors * powers) @ ops.transpose(vectors)


def transposed(x: Tensor) -> Tensor:
    """Return the transpose of each matrix."""
    return ops.swapaxes(x, -1, -2)


def frobenius(x: Tensor) -> Tensor:
    """Return the norm of each matrix, with two axes of length 1."""
    return ops.sqrt(ops.sum(ops.square(x), (-2, -1), keepdims=True))


def update_scale(
    shape: Shape, scaling: str, rms_rate: Tensor | float | None = 0.2
) -> Tensor | float:
    r"""Return the factor by which Muon scales an orthogonalized update.

    $\sqrt{\max(1, \text{out} / \text{in})}$ if `scaling` is `"jordan"`; otherwise
    $c \sqrt{\max(\text{in}, \text{out})}$ with $c$ = `rms_rate`, and 1 if that is
    `None`.
    """
    rows, columns = matrix_shape(shape)
    if scaling == "jordan":
        return math.sqrt(max(1, columns / max(rows, 1)))
    return 1.0 if rms_rate is None else rms_rate * math.sqrt(max(rows, columns))


def recompute_if_due(due: Tensor, make: Callable[[], Tensor], old: Tensor) -> Tensor:
    """Return `make()` if it is due, else `old`, without computing `make()`."""
    return ops.cond(due, make, lambda: old)


def spectral_norm(matrix: Tensor) -> Tensor:
    """Return a lower bound of a positive semidefinite matrix' spectral norm."""
    longest = ops.argmax(ops.sum(ops.square(matrix), 0))
    x = matrix @ ops.take(matrix, longest, axis=1)[:, None]
    return norm(matrix @ (x / norm(x)))
