"""`Form`: the interface of fused updates."""

from __future__ import annotations

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.variables import Pairs
from keras_optlab.engine.weights.parameter import Parameter
from keras_optlab.engine.weights.weight_update import WeightUpdate

MIN_COMPILED_SIZE = (
    2**14
)  # entries of a weight; below, the call of compiled code costs more
FEW_SMALL_WEIGHTS = (
    8  # weights of a rule with a kernel, up to which separate updates are faster
)


class Form:
    """Interface of fused updates, which a backend overrides; by default there are none.

    Args:
        update: The update of one weight.
        applies: Whether the update applies; `None`: always. For kernels that write at
            once where a step does not branch.
    """

    def __init__(self, update: WeightUpdate, applies: Tensor | None = None) -> None:
        self.update = update
        self.applies = applies

    def update_all(
        self, parameters: list[Parameter], gradients: list[Tensor]
    ) -> list[tuple[Parameter, Tensor]]:
        """Update weights by kernels for many weights at once, now or in `finish`.

        Returns:
            The weights that are not updated, with their gradients.
        """
        return list(zip(parameters, gradients, strict=True))

    def next_values(self, p: Parameter, g: Tensor) -> Pairs:
        """Return the next values of a weight and its slots, not yet written."""
        return self.update.next_values(p, p.variable, p.slots, g)

    def update_weight(self, p: Parameter, g: Tensor) -> bool:  # noqa: ARG002
        """Update a weight and its slots, now or in `finish`, if that is faster.

        Returns:
            Whether the weight is updated; if not, nothing has changed.
        """
        return False

    def finish(self) -> None:
        """Run the updates that `update_weight` deferred, many weights together."""
