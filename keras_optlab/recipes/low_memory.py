"""Recipe for models that fill the memory."""

from __future__ import annotations

from keras_optlab import optimizers
from keras_optlab.recipes.recipe import Recipe, one_cycle


def low_memory(*, peak: float = 0.01) -> Recipe:
    """Muon with its momentum in bfloat16: 2 bytes of state for a weight, not Adam's 8.

    Biases, normalization and embeddings, which take AdamW's step, have 4 bytes.

    Args:
        peak: Largest learning rate; > 0.

    Raises:
        ValueError: if `peak` is out of range.

    >>> low_memory().optimizer.slot_dtype
    'bfloat16'
    """
    return Recipe(
        optimizers.Muon(
            one_cycle(peak),
            weight_decay=0.02,
            matrices="layers",
            slot_dtype="bfloat16",
        ),
        study="python benchmarks/recipes.py --recipes low_memory",
        why="A quarter of Adam's state for matrices: better than Adam(1e-3) on text, a "
        "little worse on images with an MLP.",
    )
