"""Building a model as `fit` does, so that there is a state to return to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_optlab.engine.backend.trainer_adapter import build_as_fit


def build(
    model: keras.Model, batch: Callable[[], Any], fit_arguments: dict[str, Any]
) -> None:
    """Build a model as `fit` would, so that there is a state to return to.

    Args:
        model: A compiled model.
        batch: Returns a batch of its data, with arrays or tensors.
        fit_arguments: The data as arguments of `fit`.
    """

    def arrays() -> Any:
        return keras.tree.map_structure(_as_array, batch())

    try:
        build_as_fit(model, arrays, fit_arguments)
    except (NotImplementedError, RuntimeError, ValueError):
        if keras.backend.backend() != "tensorflow":
            raise
        # `fit` on TensorFlow does not need `call`, with a `train_step` of the model's
        # own; what it creates is noticed when it is made


def _as_array(x: Any) -> Any:
    return x if x is None or keras.ops.is_tensor(x) else np.asarray(x)
