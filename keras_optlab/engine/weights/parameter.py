"""`Parameter`: one trainable weight and everything the engine keeps for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import keras

from keras_optlab.core.axes import Matrices
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.variables import View
from keras_optlab.engine.weights.quantized import Quantized
from keras_optlab.engine.weights.views import Part

Slots = dict[str, Variable]


class Scalars(NamedTuple):
    """What determines the hyperparameters of a weight's update.

    Attributes:
        group: Its section, or else its group.
        dtype: Dtype the rule computes in.
        corrected: Whether its weight decay is corrected.
    """

    group: int
    dtype: str
    corrected: bool


@dataclass
class Parameter:
    """A unit of an update: a weight, its settings and its state.

    Attributes:
        index: Position among the weights the optimizer was built with.
        variable: The weight.
        path: Its path, unique within the plan.
        dtype: Dtype the rule computes in, float32 or wider; also the dtype of its slots
            unless `slot_dtype` is set.
        group: Position of its group, -1 for none.
        matrices: The matrices as which the rule sees it; `None`: as it is.
        section: Its section in the plan, if it counts its own updates.
        frozen: Whether the engine never updates it.
        regularized: Whether weight decay and penalties apply to it.
        corrected: Whether `decay_schedule="corrected"` applies to its weight decay.
        slots: The rule's slots, by name.
        transform_slots: The slots of each transform, in the order of the transforms.
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
    section: int | None = None
    matrices: Matrices | None = None
    corrected: bool = False

    @property
    def key(self) -> int:
        """Its section, or else its group: those that share a count of updates."""
        return self.group if self.section is None else self.section

    @property
    def scalars(self) -> Scalars:
        """Where the hyperparameters of its update are found."""
        return Scalars(self.key, self.dtype, self.corrected)

    @cached_property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.variable.shape)

    @cached_property
    def short_dtype(self) -> str:
        """The dtype of the weight itself."""
        return keras.backend.standardize_dtype(self.variable.dtype)

    @cached_property
    def all_float32(self) -> bool:
        """Whether the weight and its slots are float32, which fused kernels require."""
        return not self.is_quantized and all(
            v.dtype == "float32" for v in (self.variable, *self.slots.values())
        )

    @cached_property
    def owns_slots(self) -> bool:
        """Whether its slots are variables, not views of other variables."""
        return not any(
            isinstance(v, View) and not isinstance(v, Quantized)
            for v in self.slots.values()
        )

    @cached_property
    def is_quantized(self) -> bool:
        """Whether a slot is stored in 8 bits."""
        return any(isinstance(v, Quantized) for v in self.slots.values())

    @cached_property
    def suits_kernels(self) -> bool:
        """Whether a kernel can write it in place: float32, itself and its slots."""
        return self.members == [self] and self.all_float32 and self.owns_slots

    def owns(self, name: str) -> bool:
        """Return whether it has this slot, and not as a part of a bucket's."""
        return name in self.slots and not isinstance(self.slots[name], Part)

    @property
    def members(self) -> list[Parameter]:
        """The weights it consists of: itself."""
        return [self]

    def split(self, x: Tensor) -> list[Tensor]:
        """Split a tensor of its shape into one tensor for each member."""
        return [x]
