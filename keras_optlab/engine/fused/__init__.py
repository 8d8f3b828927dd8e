"""Updates in one pass over memory, where operations are run one by one.

A rule is several operations, and each goes over memory once. TensorFlow and torch have
kernels that do all of some rules at once; the others are compiled. JAX compiles the
whole step as it is.
"""

from __future__ import annotations

from typing import Any

import keras

from keras_optlab.engine.fused.form import Form


def fused_form(update: Any) -> Form:
    """Return how this backend updates big weights."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from keras_optlab.engine.fused.on_tensorflow import OnTensorFlow

        return OnTensorFlow(update)
    if backend == "torch":
        from keras_optlab.engine.fused.on_torch import OnTorch

        return OnTorch(update)
    return Form(update)


def takes_lists(optimizer: Any) -> bool:
    """Return whether a kernel takes all weights at once, so none need be joined."""
    if keras.backend.backend() != "torch":
        return False
    from keras_optlab.engine.fused.torch_kernels import has_kernel

    return has_kernel(optimizer.registry_name, optimizer._values)
