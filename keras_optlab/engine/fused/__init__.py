"""Updates in one pass over memory, where operations are run one by one.

A rule is several operations, and each goes over memory once. TensorFlow and torch have
kernels that do all of some rules at once; the others are compiled. JAX compiles the
whole step as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras

from keras_optlab.core import Values
from keras_optlab.engine.fused import form


def fused_form(update: Any) -> form.Form:
    """Return how this backend updates weights at once."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from keras_optlab.engine.fused.on_tensorflow import OnTensorFlow

        return OnTensorFlow(update)
    if backend == "torch":
        from keras_optlab.engine.fused.on_torch import OnTorch

        return OnTorch(update)
    return form.Form(update)


def as_kernels_see(optimizer: Any) -> Callable[[Values], Values] | None:
    """Return what kernels make of hyperparameters, if it matters for this rule."""
    if keras.backend.backend() != "tensorflow":
        return None
    from keras_optlab.engine.fused.tensorflow_kernels import as_seen, has_kernel

    known = has_kernel(optimizer.registry_name, optimizer._values)
    return as_seen if known else None


def one_by_one(optimizer: Any) -> float:
    """Return how many small weights are sooner updated one by one than joined."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from keras_optlab.engine.fused.tensorflow_kernels import ALWAYS

        few = math.inf if optimizer.registry_name in ALWAYS else form.FEW
        return few if as_kernels_see(optimizer) else 1
    if backend == "torch":
        from keras_optlab.engine.fused.torch_kernels import has_kernel

        known = has_kernel(optimizer.registry_name, optimizer._values)
        return math.inf if known else 1  # the kernels take them all at once
    return math.inf  # the compiler joins what is better joined
