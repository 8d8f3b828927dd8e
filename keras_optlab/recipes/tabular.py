"""Recipe for regression and classification of tables by an MLP."""

from __future__ import annotations

import keras

from keras_optlab import optimizers, schedules
from keras_optlab.core import Group
from keras_optlab.recipes.last_layer import last_layer
from keras_optlab.recipes.recipe import Recipe


def tabular(model: keras.Model, *, peak: float = 0.005) -> Recipe:
    """Muon for hidden kernels, AdamW for the rest, with a one-cycle schedule.

    Args:
        model: The model; its last dense layer is found by itself.
        peak: Largest learning rate; > 0.

    Raises:
        TypeError: if it is no Keras model.
        ValueError: if it has no dense layer.
    """
    return Recipe(
        optimizers.Muon(
            schedules.OneCycle(peak), groups=[Group(last_layer(model), adamw=True)]
        )
    )
