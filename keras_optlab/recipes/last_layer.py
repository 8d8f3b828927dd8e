"""The last layer of a model, which some optimizers treat apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from keras_optlab.core.errors import shown


def last_layer(model: keras.Model) -> keras.Layer:
    """Return the last dense layer of a model, also of nested ones.

    Raises:
        TypeError: if it is no Keras model.
        ValueError: if the model has no such layer.

    >>> layers = [keras.layers.Dense(4), keras.layers.Dense(1, name="head")]
    >>> last_layer(keras.Sequential(layers)).name
    'head'
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"expected a Keras model. Received: model={shown(model)}")
    kinds = keras.layers.Dense, keras.layers.EinsumDense
    found = [layer for layer in _within(model) if isinstance(layer, kinds)]
    if not found:
        raise ValueError(
            "expected a model with a Dense layer at its end. "
            f"Received: model={shown(model)}, without one."
        )
    return found[-1]


def _within(layer: Any) -> Iterator[Any]:
    for inner in getattr(layer, "layers", []):
        yield inner
        yield from _within(inner)
