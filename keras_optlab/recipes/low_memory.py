"""Recipe for models that fill the memory."""

from __future__ import annotations

from keras_optlab import optimizers, schedules
from keras_optlab.recipes.recipe import Recipe


def low_memory(*, peak: float = 1e-3) -> Recipe:
    """Lion with a momentum in bfloat16: 2 bytes of state for each weight, not Adam's 8.

    Args:
        peak: Largest learning rate, 3 to 10 times below that of AdamW; > 0.

    Raises:
        ValueError: if `peak` is out of range.

    >>> low_memory().optimizer.slot_dtype
    'bfloat16'
    """
    return Recipe(
        optimizers.Lion(
            schedules.OneCycle(peak), weight_decay=0.1, slot_dtype="bfloat16"
        ),
        study="python benchmarks/recipes.py --recipes low_memory",
        why="",
    )
