"""`Form`: the interface of fused updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from keras_optlab.core import Values
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.variables import Pairs
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.weights.parameter import Parameter, Slots

if TYPE_CHECKING:
    from keras_optlab.engine.hyperparameters.per_step import StepHyperparameters

MIN_COMPILED_SIZE = (
    2**14
)  # entries of a weight; below, the call of compiled code costs more
FEW_SMALL_WEIGHTS = (
    8  # weights of a rule with a kernel, up to which separate updates are faster
)


class WeightUpdate(Protocol):
    """What fused updates may ask of an update; see `Update`.

    Attributes:
        optimizer: The optimizer.
        scalars: The hyperparameters of the update.
        cast: The same in the types of the weights, by group and type.
        t: The number of the update, counted from 1.
    """

    optimizer: BuiltOptimizer
    scalars: StepHyperparameters
    cast: dict[tuple[int, str], Values]
    t: Tensor

    def weight(self, p: Parameter) -> Tensor:
        """Return a weight in the type that the rule computes in."""
        ...

    def decays(self, p: Parameter) -> bool:
        """Return whether decoupled decay applies to a weight."""
        ...

    def decayed(self, p: Parameter, w: Tensor) -> Tensor:
        """Return a weight after decoupled decay."""
        ...

    def shrinks(self, p: Parameter) -> bool:
        """Return whether the proximal step applies to a weight."""
        ...

    def rule(
        self, p: Parameter, w: Tensor, g: Tensor, slots: Slots
    ) -> tuple[Tensor, Values]:
        """Return the step of a weight and its next slots."""
        ...

    def next_values(
        self, p: Parameter, variable: Variable, slots: Slots, g: Tensor
    ) -> Pairs:
        """Return the next values of a weight and its slots, with their variables."""
        ...


class Form:
    """Interface of fused updates, which a backend overrides; by default there are none.

    Args:
        update: The `Update` whose weights these are.
    """

    def __init__(self, update: WeightUpdate) -> None:
        self.update = update

    def update_weight(self, p: Parameter, g: Tensor) -> bool:  # noqa: ARG002
        """Update a weight and its slots, now or in `finish`, if that is faster.

        Returns:
            Whether the weight is updated; if not, nothing has changed.
        """
        return False

    def finish(self) -> None:
        """Run the updates that `advance` deferred to run many weights together."""
