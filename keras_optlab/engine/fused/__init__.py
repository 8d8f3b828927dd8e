"""Fused updates: one pass over memory where a backend runs operation by operation.

A rule is several operations, and each passes over memory once. TensorFlow and torch
have kernels that do some rules in one pass; the other rules are compiled. JAX compiles
the whole step anyway.

Kernels are found by the registry name of a rule. A subclass inherits what a class
declares, but computes something else: it must not inherit its kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import keras

from keras_optlab.core import Values
from keras_optlab.core.types import Tensor
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.fused import form
from keras_optlab.engine.weights.weight_update import WeightUpdate


def fused_form(update: WeightUpdate, applies: Tensor | None = None) -> form.Form:
    """Return the fused updates of this backend.

    Args:
        update: The update of one weight.
        applies: Whether the update applies, for kernels on an accelerator.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from keras_optlab.engine.fused.on_tensorflow import OnTensorFlow

        return OnTensorFlow(update)
    if backend == "torch":
        from keras_optlab.engine.fused.on_torch import OnTorch

        return OnTorch(update, applies)
    from keras_optlab.engine.fused.on_jax import OnJax

    return OnJax(update)


def kernel_rounding(optimizer: BuiltOptimizer) -> Callable[[Values], Values] | None:
    """Return the rounding of hyperparameters in kernels, if the rule has a kernel."""
    if keras.backend.backend() != "tensorflow":
        return None
    from keras_optlab.engine.fused.tensorflow_kernels import (
        has_kernel,
        rounded_as_kernels,
    )

    known = has_kernel(optimizer.registry_name, optimizer._values)
    return rounded_as_kernels if known else None


def separate_update_limit(optimizer: BuiltOptimizer) -> float:
    """Return the number of small weights up to which separate updates are faster."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from keras_optlab.engine.fused.tensorflow_kernels import PREFER_KERNEL

        few = (
            math.inf
            if optimizer.registry_name in PREFER_KERNEL
            else form.FEW_SMALL_WEIGHTS
        )
        return few if kernel_rounding(optimizer) else 1
    if backend == "torch":
        from keras_optlab.engine.fused.torch_kernels import has_kernel

        known = has_kernel(optimizer.registry_name, optimizer._values)
        return math.inf if known else 1  # one call takes all weights
    return math.inf  # the compiler joins them where that is faster
