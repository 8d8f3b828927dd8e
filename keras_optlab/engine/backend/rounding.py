"""Stochastic rounding to bfloat16: the expected value of the result is exact."""

from __future__ import annotations

import math

import keras
from keras import ops

from keras_optlab.core.types import Tensor

DROPPED = 16  # bits of a float32 that a bfloat16 does not have


def round_to_bfloat16(x: Tensor, salt: Tensor) -> Tensor:
    r"""Round each entry to the bfloat16 above or below; the closer one is more likely.

    The expected value is $x$, so a moving average still moves if its changes are below
    the resolution of the dtype. A hash of each entry's position and the salt decides:
    the same salt repeats the same rounding.

    Args:
        x: Tensor of float32 or float64.
        salt: int32 scalar, different for each update and each tensor to be rounded.
    """
    bits = _bitcast(ops.cast(x, "float32"), "int32")
    noise = ops.bitwise_and(_hash(ops.shape(x), salt), 2**DROPPED - 1)
    kept = ops.bitwise_and(bits + noise, -(2**DROPPED))
    return ops.cast(_bitcast(kept, "float32"), "bfloat16")


def _hash(shape: tuple[int, ...], salt: Tensor) -> Tensor:
    """Return a hash, an int32, for each position.

    The mixing is lowbias32 (Wellons, 2018), but with arithmetic shifts; products wrap
    around.
    """
    positions = ops.arange(math.prod(shape), dtype="int32")
    x = ops.reshape(positions, shape) * -1640531535 + salt
    for shift, factor in (16, 2146121005), (15, -2073254261):
        x = ops.bitwise_xor(x, ops.right_shift(x, shift)) * factor
    return ops.bitwise_xor(x, ops.right_shift(x, 16))


def _bitcast(x: Tensor, dtype: str) -> Tensor:
    """Return the same bits, read as another dtype of the same size."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.bitcast(x, dtype)
    if backend == "jax":
        import jax

        return jax.lax.bitcast_convert_type(x, dtype)
    import torch

    return x.view(getattr(torch, dtype))
