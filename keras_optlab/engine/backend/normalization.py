"""The layers of a model that keep running statistics, such as `BatchNormalization`."""

from __future__ import annotations

from typing import Any

import keras

from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.keras_adapter import sublayers

NAMES = "moving_mean", "moving_variance", "moving_stddev"  # the last for `renorm`


def normalization_layers(model: keras.Model) -> list[Any]:
    """Return the layers at any depth that update running statistics in training.

    They have floating variables `moving_mean` and `moving_variance`, and a number
    `momentum`. Frozen layers do not update them, so they are left out.
    """
    layers = {id(x): x for x in (model, *sublayers(model))}
    return [x for x in layers.values() if x.trainable and _keeps_statistics(x)]


def running_statistics(layer: Any) -> list[Variable]:
    """Return the running statistics of a normalization layer."""
    found = [getattr(layer, name, None) for name in NAMES]
    return [v for v in found if _is_statistic(v)]


def _keeps_statistics(layer: Any) -> bool:
    both = all(_is_statistic(getattr(layer, name, None)) for name in NAMES[:2])
    return both and isinstance(getattr(layer, "momentum", None), int | float)


def _is_statistic(x: Any) -> bool:
    floating = isinstance(x, keras.Variable) and "float" in str(x.dtype)
    return floating and not x.trainable
