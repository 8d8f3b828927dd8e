"""`Parameter`: one trainable weight and everything the engine keeps for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.variables import View

Slots = dict[str, Variable]


@dataclass
class Parameter:
    """What an update goes through weight by weight.

    Attributes:
        index: Position among the weights the optimizer was built with.
        variable: The weight.
        path: Its path, unique within the plan.
        dtype: Type the rule computes in, and that of its slots: float32 or wider.
        group: Position of its group, -1 for none.
        frozen: Whether the engine leaves it alone altogether.
        regularized: Whether decay and penalties apply to it.
        slots: The rule's state.
        transform_slots: The state of each transform, in the order of the transforms.
    """

    index: int
    variable: Variable
    path: str
    dtype: str
    group: int
    frozen: bool
    regularized: bool
    slots: Slots = field(default_factory=dict)
    transform_slots: list[Slots] = field(default_factory=list)

    @cached_property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.variable.shape)

    @cached_property
    def all_float32(self) -> bool:
        """Whether the weight and its slots have the type that kernels know best."""
        return all(v.dtype == "float32" for v in (self.variable, *self.slots.values()))

    @cached_property
    def owns_slots(self) -> bool:
        """Whether its slots are variables, not parts or rows of others."""
        return not any(isinstance(v, View) for v in self.slots.values())

    def owns(self, name: str) -> bool:
        """Return whether it has this slot, as a variable of its own."""
        return name in self.slots and not isinstance(self.slots[name], View)

    @property
    def members(self) -> list[Parameter]:
        """The weights it stands for: itself."""
        return [self]

    def split(self, x: Tensor) -> list[Tensor]:
        """Return a tensor of its shape as one for each member."""
        return [x]
