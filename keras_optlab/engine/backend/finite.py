"""The guard against NaN, infinite and too large gradients."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.norms import global_norm

# Most rules sum up squares of gradients. Below this norm, the sum over 1e8 steps is
# finite. A sum that overflows stays infinite, and its weight never moves again.
LARGEST_NORM = {"float32": 1e15, "float64": 1e150}
HALF = {"float16", "bfloat16"}


def check_gradients(gradients: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return whether to step by these gradients, and their global norm.

    A step is skipped for a NaN, an infinity, or a norm above `LARGEST_NORM`. The norm
    detects all three, in one pass and without a temporary.
    """
    names = {
        x: keras.backend.standardize_dtype(x) for x in {g.dtype for g in gradients}
    }
    if HALF.isdisjoint(names.values()):
        xs = gradients
    else:
        xs = [
            ops.cast(g, "float32") if names[g.dtype] in HALF else g for g in gradients
        ]
    norm = global_norm(xs)
    widest = "float64" if set(names.values()) == {"float64"} else "float32"
    return norm <= LARGEST_NORM[widest], norm


def all_finite(xs: Sequence[Tensor]) -> Tensor:
    """Return whether no entry is a NaN or an infinity."""
    return ops.all(ops.stack([ops.all(ops.isfinite(x)) for x in xs]))
