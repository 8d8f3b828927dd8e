"""Estimates of the Hessian from its products with random directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_optlab.core.randomness import standard_normal
from keras_optlab.core.types import Tensor


def hessian_diagonal(
    batch: Any, ws: Sequence[Tensor], seed: int, count: Tensor
) -> list[Tensor]:
    r"""Hutchinson's estimate of the diagonal, $z \odot H z$ with $z_i = \pm 1$.

    Args:
        batch: Gives Hessian-vector products of the current batch's loss.
        ws: The weights; the estimate has their shapes and dtypes.
        seed: Determines the random directions, together with `count`.
        count: The number of the update, an integer.
    """
    signs = [ops.where(z > 0, 1.0, -1.0) for z in standard_normal(ws, seed, count)]
    zs = [ops.cast(z, w.dtype) for z, w in zip(signs, ws, strict=True)]
    products = batch.hessian_times(zs)
    return [z * ops.cast(x, z.dtype) for z, x in zip(zs, products, strict=True)]
