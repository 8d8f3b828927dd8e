"""Recipe for networks that classify images, trained from scratch."""

from __future__ import annotations

import keras

from keras_optlab import optimizers
from keras_optlab.core import Group
from keras_optlab.recipes.last_layer import last_layer
from keras_optlab.recipes.recipe import Recipe, one_cycle


def image_classification(model: keras.Model, *, peak: float = 0.01) -> Recipe:
    """Muon for hidden kernels, AdamW for the rest, with a one-cycle schedule.

    Convolution kernels are updated as matrices; the last layer, biases and
    normalization take AdamW's step.

    Args:
        model: The model; its last dense layer is found by itself.
        peak: Largest learning rate; > 0.

    Raises:
        TypeError: if it is no Keras model.
        ValueError: if it has no dense layer.
    """
    return Recipe(
        optimizers.Muon(
            one_cycle(peak),
            matrices="layers",
            groups=[Group(last_layer(model), adamw=True)],
        ),
        study="python benchmarks/recipes.py --recipes image_classification",
        why="Muon's authors' way; after six epochs of MNIST it is not told apart from "
        "Adam(1e-3).",
    )
