"""Recipe for fine-tuning a pretrained model."""

from __future__ import annotations

import keras

from keras_optlab import optimizers
from keras_optlab.core import layerwise_decay
from keras_optlab.recipes.recipe import Recipe, one_cycle


def fine_tuning(
    model: keras.Model, *, peak: float = 1e-3, factor: float = 0.7
) -> Recipe:
    """AdamW with rates that fall from the last block to the first; no decay of biases.

    The layer names tell the blocks, and normalization belongs to the layer before it:
    see `layerwise_decay`.

    Args:
        model: The pretrained model, with the new head; built.
        peak: Largest learning rate, of the last block; > 0.
        factor: What the rate of a block is multiplied by from one to the one before it;
            in (0, 1].

    Raises:
        ValueError: if the model has no weights yet.
    """
    return Recipe(
        optimizers.AdamW(
            one_cycle(peak, warmup=0.1),
            weight_decay=0.05,
            decay_mask="matrices",
            global_clipnorm=1.0,
            groups=layerwise_decay(model, factor),
        ),
        study="python benchmarks/fine_tuning.py",
        why="On 200 images of new digits, fewer errors than the head alone; one rate "
        "for all layers needs a lower peak, and is not better.",
    )
