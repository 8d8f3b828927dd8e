"""Tags of the scalars; the first part of a tag is its group on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_optlab.engine import Statistics


def split_logs(logs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the training metrics and the validation metrics.

    >>> split_logs({"loss": 0.5, "val_loss": 0.7})
    ({'loss': 0.5}, {'loss': 0.7})
    """
    train = {k: v for k, v in logs.items() if not k.startswith("val_")}
    validation = {k: v for k, v in logs.items() if k.startswith("val_")}
    return train, {k.removeprefix("val_"): v for k, v in validation.items()}


def metric_tags(group: str, metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return each value of each metric, by tag; metrics of text are left out.

    >>> metric_tags("epoch", {"loss": 0.5, "f1": np.array([0.25, 1.0])})
    {'epoch/loss': 0.5, 'epoch/f1/0': 0.25, 'epoch/f1/1': 1.0}
    """
    tags = {}
    for name, value in metrics.items():
        for index, number in np.ndenumerate(_numbers(value)):
            tags["/".join([group, name, *map(str, index)])] = float(number)
    return tags


def _numbers(value: Any) -> np.ndarray:
    """Return an array of numbers, empty if the value is something else."""
    array = keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value
    try:
        array = np.asarray(array)
    except ValueError:  # lists of different lengths
        return np.zeros(0)
    return np.zeros(0) if array.dtype.kind in "USOMmc" else array  # V is bfloat16


def weight_tag(group: str, path: str, model: str) -> str:
    """Return the tag of a weight; drop the model's name from its path.

    >>> weight_tag("weight_norm", "classifier/dense/kernel", "classifier")
    'weight_norm/dense/kernel'
    """
    return f"{group}/{path.removeprefix(f'{model}/')}"


def statistics_tags(statistics: Statistics, model: str) -> dict[str, float]:
    """Return the optimizer's statistics by tag; `model` is the model's name."""
    tags = {
        "optimizer/clipped_fraction": statistics.clipped_fraction,
        "optimizer/gradient_norm": statistics.gradient_norm,
        "optimizer/gradient_norm_clipped": statistics.clipped_gradient_norm,
        "optimizer/update_norm": statistics.update_norm,
        "optimizer/weight_norm": statistics.weight_norm,
    }
    for path, layer in statistics.layers.items():
        tags[weight_tag("weight_gradient_norm", path, model)] = layer.gradient_norm
        tags[weight_tag("weight_norm", path, model)] = layer.weight_norm
        if layer.dead_units is not None:
            tags[weight_tag("weight_dead_units", path, model)] = layer.dead_units
        if math.isfinite(layer.update_ratio):  # not of a weight that is all zero
            tags[weight_tag("update_ratio", path, model)] = layer.update_ratio
    return tags
