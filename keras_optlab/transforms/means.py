"""Means in the type of what they are of."""

from __future__ import annotations

import math

from keras import ops

from keras_optlab.core.types import Tensor


def mean(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """Return the mean over some or all axes, in a shape to go with the tensor's own.

    Except on TensorFlow, `keras.ops.mean` of float64 is computed in float32.
    """
    over = x.shape if axes is None else [x.shape[i] for i in axes]
    return ops.sum(x, axis=axes, keepdims=True) / math.prod(over)
