"""Stateless random numbers, determined by a seed and the number of the update."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import keras
import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor


class _Seed(keras.random.SeedGenerator):
    """A seed generator that returns a given seed and has no state."""

    def __init__(self, pair: Tensor) -> None:
        self.pair = pair

    def next(self, ordered: bool = True) -> Tensor:  # noqa: ARG002
        """Return the seed as `keras.random` reads it: two integers."""
        return self.pair


def seed_at(seed: int, count: Tensor) -> keras.random.SeedGenerator:
    """Return a seed for `keras.random` from a number and the number of an update.

    It has no state, so that a resumed run draws the same random numbers.
    """
    key = np.random.SeedSequence(seed).generate_state(1)
    # JAX takes unsigned integers only; the seeds of the others are signed.
    integer = "uint32" if keras.backend.backend() == "jax" else "int64"
    pair = ops.stack([ops.convert_to_tensor(key[0], integer), ops.cast(count, integer)])
    return _Seed(pair)


def standard_normal(xs: Sequence[Tensor], seed: int, count: Tensor) -> list[Tensor]:
    """Return normal noise of the tensors' shapes and dtypes, set by `seed` and `count`.

    One draw serves all tensors, since each draw takes long to compile.
    """
    sizes = [math.prod(x.shape) for x in xs]
    floating = "float64" if keras.config.floatx() == "float64" else "float32"
    drawn = keras.random.normal(
        (sum(sizes),), dtype=floating, seed=seed_at(seed, count)
    )
    rows = zip(xs, sizes, accumulate(sizes), strict=True)
    return [
        ops.cast(ops.reshape(drawn[end - n : end], x.shape), x.dtype)
        for x, n, end in rows
    ]
