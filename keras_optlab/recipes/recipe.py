"""`Recipe`: an optimizer and callbacks that were measured to go well together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from keras_optlab import schedules
from keras_optlab.core.arguments import number


def one_cycle(peak: float, **options: Any) -> schedules.OneCycle:
    """Return the schedule of a recipe, whose `peak` must be above 0."""
    peak = number("peak", peak, "> 0", "largest learning rate")
    return schedules.OneCycle(peak, **options)


@dataclass(frozen=True)
class Recipe:
    """An optimizer and callbacks, to unpack into `compile` and `fit`.

    Attributes:
        optimizer: The optimizer, with its schedule, which spans the `fit`.
        callbacks: Callbacks for `fit`.
        study: The command that repeats the study by which it was chosen.
        why: What the study found; one sentence.

    >>> import keras, keras_optlab as kol
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> recipe = kol.recipes.tabular()
    >>> model.compile(**recipe.compile, loss="mse")
    >>> x = keras.ops.ones((8, 4))
    >>> history = model.fit(x, x[:, :1], callbacks=recipe.callbacks, verbose=0)
    """

    optimizer: Any
    callbacks: list[Any] = field(default_factory=list)
    study: str = ""
    why: str = ""

    @property
    def compile(self) -> dict[str, Any]:
        """Arguments for `compile`."""
        return {"optimizer": self.optimizer}
