"""What a rule remembers about each tensor between two steps."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Slot:
    """One remembered value, declared by an algorithm or a transform.

    Args:
        name: What the rule calls it; `s.name` in `update`.
        init: The value it starts from: a number, the name of a hyperparameter that
            holds the number, or `"weight"` for a copy of the weight.
        shape: `"weight"` for the weight's own shape, `"scalar"` for one number.
        when: Name of the hyperparameter that switches the slot on; the slot exists
            only if its value at construction is true. `None` is always.
        follows: In stock Keras' positional checkpoints the slots of one weight lie
            side by side; `True` says that this one is stored after all of those
            instead, as Keras does for slots that it creates by a call of their own.
    """

    name: str
    init: float | str = 0.0
    shape: Literal["weight", "scalar"] = "weight"
    when: str | None = None
    follows: bool = False

    def is_on(self, values: Any) -> bool:
        """Return whether the owner's arguments, as constructed, switch the slot on."""
        return self.when is None or bool(getattr(values, self.when))

    def start(self, values: Any) -> float:
        """Return the number the slot starts from; 0 for what becomes a weight."""
        if self.init == "weight":
            return 0.0
        return getattr(values, self.init) if isinstance(self.init, str) else self.init
