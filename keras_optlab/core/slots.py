"""What a rule remembers about each tensor between two steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Shape = tuple[int, ...]
SHAPES = "weight", "scalar"


@dataclass(frozen=True)
class Weight:
    """What the shape of a slot may depend on.

    Args:
        shape: The weight's shape.
        path: Its path in the model.
        values: The optimizer's arguments.
    """

    shape: Shape
    path: str
    values: Any


def rows(weight: Weight) -> Shape | None:
    """Shape of what is kept for each row of a matrix; nothing for vectors."""
    return weight.shape[:-1] if len(weight.shape) > 1 else None


def columns(weight: Weight) -> Shape | None:
    """Shape of what is kept for each column of a matrix; nothing for vectors."""
    shape = weight.shape
    return (*shape[:-2], shape[-1]) if len(shape) > 1 else None


def unfactored(weight: Weight) -> Shape | None:
    """Shape of what is kept whole because it has no rows and columns."""
    return weight.shape if len(weight.shape) < 2 else None


@dataclass(frozen=True)
class Slot:
    """One remembered value, declared by an algorithm or a transform.

    Args:
        name: What the rule calls it; `s.name` in `update`.
        init: The value it starts from: a number, the name of a hyperparameter that
            holds the number, or `"weight"` for a copy of the weight.
        shape: `"weight"` for the weight's own shape, `"scalar"` for one number, or a
            function from a `Weight` to the slot's shape, or to `None` where such a
            weight has no such slot.
        when: Name of the hyperparameter that switches the slot on; the slot exists
            only if its value at construction is true. `None` is always.
        constant: Whether it keeps what it starts from, which the engine then does not
            write again.
        stored_last: In stock Keras' positional checkpoints the slots of one weight lie
            side by side; `True` says that this one is stored after all of those
            instead, as Keras does for slots that it creates by a call of their own.
    """

    name: str
    init: float | str = 0.0
    shape: Literal["weight", "scalar"] | Callable[[Weight], Shape | None] = "weight"
    when: str | None = None
    constant: bool = False
    stored_last: bool = False

    def is_on(self, values: Any) -> bool:
        """Return whether the owner's arguments, as constructed, switch the slot on."""
        return self.when is None or bool(getattr(values, self.when))

    def shape_for(self, weight: Weight) -> Shape | None:
        """Return its shape for a weight; `None` is no slot."""
        if not self.is_on(weight.values):
            return None
        if callable(self.shape):
            return self.shape(weight)
        return weight.shape if self.shape == "weight" else ()

    def start(self, values: Any) -> float:
        """Return the number the slot starts from; 0 for what becomes a weight."""
        if self.init == "weight":
            return 0.0
        return getattr(values, self.init) if isinstance(self.init, str) else self.init
