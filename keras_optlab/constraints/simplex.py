"""Projection onto the probability simplex."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.constraints.norms import in_range
from keras_optlab.core import Declared, Hyper
from keras_optlab.core.numerics import maximum, wide
from keras_optlab.core.types import Tensor


def simplex(w: Tensor, axis: int = 0) -> Tensor:
    r"""Return the nearest vectors along `axis` with entries $\ge 0$ and sum 1.

    That is $\max(w - \theta, 0)$ with $\theta = \max_j (\mu_1 + \dots + \mu_j - 1) / j$
    over the sorted entries $\mu_1 \ge \mu_2 \ge \dots$
    """
    if 0 in w.shape:
        return w
    in_range(w, axis)
    v = wide(w)
    v = v - ops.max(v, axis=axis, keepdims=True)  # shifts θ equally, and rounds less
    mu = ops.flip(ops.sort(v, axis=axis), axis=axis)
    counts = np.ones(len(w.shape), int)
    counts[axis] = -1
    j = ops.convert_to_tensor(
        np.arange(1, w.shape[axis] + 1).reshape(counts), dtype=v.dtype
    )
    theta = ops.max((ops.cumsum(mu, axis=axis) - 1) / j, axis=axis, keepdims=True)
    # Compute θ again from the positive entries: the running sum has a large rounding
    # error (and Keras on torch computes it in float32).
    stays = ops.cast(v > theta, v.dtype)
    count = ops.sum(stays, axis=axis, keepdims=True)
    theta = (ops.sum(v * stays, axis=axis, keepdims=True) - 1) / count
    return ops.cast(maximum(v - theta, 0.0), w.dtype)


class Simplex(Declared, keras.constraints.Constraint):
    """Projection to the probability simplex: entries >= 0 that sum to 1.

        w ← argmin ‖p - w‖₂ over p with p_i >= 0 and Σ p_i = 1

    This is the Euclidean projection, which sets small entries to exactly zero; it does
    not divide by the sum.

    Args:
        axis: Axis along which the entries sum to 1. Defaults to 0: the columns of a
            matrix (in, out), which are the weights that enter one output unit.

    Raises:
        ValueError: if `axis` is not an integer, or, when called, if the weight lacks
            the axis.
        TypeError: if `axis` is not a number.

    Source:
        Duchi, Shalev-Shwartz, Singer and Chandra, "Efficient Projections onto the
        ℓ1-Ball for Learning in High Dimensions", 2008, Figure 1.

    Example:
        >>> from keras import ops
        >>> w = Simplex()(ops.array([0.75, 0.5, -1.0]))
        >>> ops.convert_to_numpy(w).tolist()
        [0.625, 0.375, 0.0]
    """

    axis: int = Hyper(
        default=0,
        doc="axis that sums to 1",
        within="(-inf, inf)",
        adjustable=False,
        integer=True,
    )

    def __call__(self, w: Any) -> Any:
        """Return the projected weight."""
        return simplex(ops.convert_to_tensor(w), self.axis)
