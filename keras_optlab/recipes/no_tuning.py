"""Recipes without a learning rate to search."""

from __future__ import annotations

from keras_optlab import callbacks, optimizers, schedules
from keras_optlab.core.arguments import number
from keras_optlab.recipes.recipe import Recipe


def no_tuning() -> Recipe:
    """Prodigy, which finds its step size, with a cosine to 0 at the end of `fit`.

    With Adam's bias corrections, which Prodigy has not by default.

    >>> no_tuning().optimizer.bias_correction
    True
    """
    return Recipe(
        optimizers.Prodigy(
            schedules.Cosine(1.0), beta_2=0.99, bias_correction=True, weight_decay=0.01
        ),
        study="python benchmarks/recipes.py --recipes no_tuning",
        why="Ends better than Adam(1e-3) on diamonds and text; on images not worse.",
    )


def open_end(*, patience: int = 5) -> Recipe:
    """Schedule-free AdamW: no length to choose; stops where validation ends to improve.

    Args:
        patience: Epochs without a better `val_loss` before the end; integer >= 0.

    Raises:
        ValueError: if `patience` is out of range.

    >>> open_end(patience=3).callbacks[0].patience
    3
    """
    patience = number("patience", patience, ">= 0", "epochs to wait", integer=True)
    return Recipe(
        optimizers.ScheduleFreeAdamW(0.01, warmup_steps=50),
        [callbacks.EarlyStopping("val_loss", patience=patience)],
        study="python benchmarks/recipes.py --recipes open_end",
        why="Ends better than Adam(1e-3) on diamonds and text; on images not worse.",
    )
