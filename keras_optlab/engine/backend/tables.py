"""Tables of 256 values, and tensors that are computed once."""

from __future__ import annotations

import keras
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.modules import jax_module


def look_up(table: Tensor, codes: Tensor) -> Tensor:
    """Return the entry of a table of 256 for each code, a uint8."""
    at = ops.cast(codes, "int32")
    if keras.backend.backend() == "jax":  # `take` would check every index
        return table.at[at].get(mode="promise_in_bounds")
    return ops.take(table, at, axis=0)


def computed_once(x: Tensor) -> Tensor:
    """Return a tensor that XLA does not compute again for each of its uses, on JAX."""
    if keras.backend.backend() == "jax":
        return jax_module().lax.optimization_barrier(x)
    return x
