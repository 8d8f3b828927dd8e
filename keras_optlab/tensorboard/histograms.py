"""Histograms of weights, gradients and updates, as summary values."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_optlab.engine import Histogram, Histograms
from keras_optlab.tensorboard import summaries
from keras_optlab.tensorboard.tags import weight_tag


def recorded_histograms(record: Histograms, model: str) -> summaries.Values:
    """Return the recorded gradients, updates and values; `model` is its name."""
    values = []
    for path, layer in record.layers.items():
        sides = {"gradient": layer.gradient, "update": layer.update}
        for side, entries in (sides | {"value": layer.weight}).items():
            tag = weight_tag(f"weight_{side}", path, model)
            values += summaries.histogram(tag, entries)
    return values


def weight_histograms(model: keras.Model) -> summaries.Values:
    """Return histograms of all trainable weights, counted with NumPy."""
    values = []
    for weight in model.trainable_weights:
        tag = weight_tag("weight_value", weight.path, model.name)
        values += summaries.histogram(tag, _count(weight))
    return values


def _count(weight: Any) -> Histogram:
    entries = keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
    if not np.all(np.isfinite(entries)):
        return Histogram(0.0, 0.0, np.zeros(1))
    counts, edges = np.histogram(entries, bins=30)
    return Histogram(float(edges[0]), float(edges[-1]), counts)
