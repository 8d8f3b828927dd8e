"""Recipe for regression and classification of tables by an MLP."""

from __future__ import annotations

from keras_optlab import optimizers
from keras_optlab.recipes.recipe import Recipe, one_cycle


def tabular(*, peak: float = 0.0115) -> Recipe:
    """Muon for all kernels, AdamW for biases, with a one-cycle schedule.

    Args:
        peak: Largest learning rate; > 0.

    Raises:
        ValueError: if `peak` is out of range.

    >>> tabular().optimizer.weight_decay
    0.02
    """
    return Recipe(
        optimizers.Muon(one_cycle(peak), weight_decay=0.02),
        study="optlab tune diamonds-mlp --epochs 20 --objective final --minutes 10 "
        "--optimizers muon,soap,adamw,schedulefreeadamw,nadamw,kron",
        why="Chosen of six optimizers by the error of the price of diamonds after 20 "
        "epochs.",
    )
