"""Recipe for transformers trained from scratch."""

from __future__ import annotations

import keras

from keras_optlab import optimizers
from keras_optlab.core import Group
from keras_optlab.recipes.last_layer import last_layer
from keras_optlab.recipes.recipe import Recipe, one_cycle


def text(model: keras.Model, *, peak: float = 0.0115) -> Recipe:
    """Muon for the matrices inside of a transformer, AdamW for the rest.

    AdamW updates the embeddings and the last layer: with them Muon was no better, and
    with a large vocabulary it takes long.

    Args:
        model: The model. Its last dense layer is found in it.
        peak: Largest learning rate; > 0.

    Raises:
        TypeError: if it is no Keras model.
        ValueError: if it has no dense layer, or `peak` is out of range.
    """
    return Recipe(
        optimizers.Muon(
            one_cycle(peak),
            momentum=0.9,
            weight_decay=0.1,
            matrices="layers",
            groups=[Group(last_layer(model), adamw=True)],
        ),
        study="optlab compare char-gpt --objective final --trials 8 --seeds 3 "
        "--optimizers 'adamw,muon,muon(exclude_layers=[\"output\"])'",
        why="A lower loss than AdamW's, tuned alike, on characters of Paradise Lost.",
    )
