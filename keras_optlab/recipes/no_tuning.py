"""Recipes without a learning rate to search."""

from __future__ import annotations

from keras_optlab import callbacks, optimizers, schedules
from keras_optlab.recipes.recipe import Recipe


def no_tuning() -> Recipe:
    """Prodigy, which finds its step size, with a cosine to 0 at the end of `fit`."""
    return Recipe(optimizers.Prodigy(schedules.Cosine(1.0), weight_decay=0.01))


def open_end(*, patience: int = 5) -> Recipe:
    """Schedule-free AdamW: no length to choose; stops where validation ends to improve.

    Args:
        patience: Epochs without a better `val_loss` before the end; integer >= 0.
    """
    return Recipe(
        optimizers.ScheduleFreeAdamW(0.01, warmup_steps=50),
        [callbacks.EarlyStopping("val_loss", patience=patience)],
    )
