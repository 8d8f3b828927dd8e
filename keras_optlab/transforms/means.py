"""Means in the dtype of their tensors."""

from __future__ import annotations

import math

from keras import ops

from keras_optlab.core.types import Tensor


def mean(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """Return the mean over some or all axes, which are kept with length 1.

    Except on TensorFlow, `keras.ops.mean` of float64 is computed in float32.
    """
    over = x.shape if axes is None else [x.shape[i] for i in axes]
    return ops.sum(x, axis=axes, keepdims=True) / math.prod(over)
