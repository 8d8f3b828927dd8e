"""The largest singular value of a weight, by power iteration from a fixed start."""

from __future__ import annotations

import math

import numpy as np
from keras import ops

from keras_optlab.core.numerics import norm, wide
from keras_optlab.core.types import Tensor


def as_matrix(w: Tensor) -> Tensor:
    """Return a weight as a matrix (prod(in), out), in float32 or wider.

    All axes but the last are joined; a vector or a scalar is one column.
    """
    columns = w.shape[-1] if len(w.shape) > 1 else 1
    rows = math.prod(w.shape[:-1] if len(w.shape) > 1 else w.shape)
    return wide(ops.reshape(w, (rows, columns)))


def largest_singular_value(matrix: Tensor, iterations: int) -> Tensor:
    r"""Estimate the largest singular value $\sigma$ of a matrix $W$, from below.

    From a fixed random $v$, `iterations` times $u \leftarrow Wv / \|Wv\|$ and
    $v \leftarrow W^\top u / \|W^\top u\|$; then $\sigma \approx u^\top W v$. For the
    gradient, the vectors are constants: $\partial \sigma / \partial W = u v^\top$.
    """
    if 0 in matrix.shape:
        return ops.zeros((), matrix.dtype)
    held = ops.stop_gradient(matrix)
    start = np.random.default_rng(0).standard_normal((matrix.shape[1], 1))
    v = ops.convert_to_tensor(start, matrix.dtype)
    for _ in range(iterations):
        v = _unit(ops.transpose(held) @ _unit(held @ v))
    u = _unit(held @ v)
    return ops.sum(u * (matrix @ v))  # `ops.matmul` on torch computes in float32


def leading_pair(w: Tensor) -> Tensor:
    r"""Return the first pair of singular vectors as $u v^\top$, in a weight's shape."""
    matrix = as_matrix(w)
    if 0 in matrix.shape:
        return w
    u, sizes, v = ops.svd(matrix, full_matrices=False)
    pair = ops.where(sizes[0] > 0, u[:, :1] * v[:1], 0.0)
    return ops.cast(ops.reshape(pair, w.shape), w.dtype)


def _unit(x: Tensor) -> Tensor:
    size = norm(x)
    return x / ops.where(size > 0, size, 1.0)  # zeros stay zeros
