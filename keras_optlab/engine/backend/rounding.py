"""Stochastic rounding: what a short type cannot store is kept on average."""

from __future__ import annotations

import math

import keras
from keras import ops

from keras_optlab.core.types import Tensor

DROPPED = 16  # bits of a float32 that a bfloat16 does not have


def round_to_bfloat16(x: Tensor, salt: Tensor) -> Tensor:
    r"""Return a bfloat16 above or below, each the more likely the closer it is.

    The expected value is $x$, so that a mean which moves by less than the type resolves
    still moves. What decides is a hash of each entry's position and the salt: the same
    salt rounds in the same way again.

    Args:
        x: Tensor of float32 or float64.
        salt: int32 scalar; another for each update and each thing to be rounded.
    """
    bits = _bitcast(ops.cast(x, "float32"), "int32")
    noise = ops.bitwise_and(_hash(ops.shape(x), salt), 2**DROPPED - 1)
    kept = ops.bitwise_and(bits + noise, -(2**DROPPED))
    return ops.cast(_bitcast(kept, "float32"), "bfloat16")


def _hash(shape: tuple[int, ...], salt: Tensor) -> Tensor:
    """Return an int32 for each position.

    The mixing is that of lowbias32 (Wellons, 2018); products wrap around.
    """
    positions = ops.arange(math.prod(shape), dtype="int32")
    x = ops.reshape(positions, shape) * -1640531535 + salt
    for shift, factor in (16, 2146121005), (15, -2073254261):
        x = ops.bitwise_xor(x, ops.right_shift(x, shift)) * factor
    return ops.bitwise_xor(x, ops.right_shift(x, 16))


def _bitcast(x: Tensor, dtype: str) -> Tensor:
    """Return the same bits, read as another type of that size."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.bitcast(x, dtype)
    if backend == "jax":
        import jax

        return jax.lax.bitcast_convert_type(x, dtype)
    import torch

    return x.view(getattr(torch, dtype))
