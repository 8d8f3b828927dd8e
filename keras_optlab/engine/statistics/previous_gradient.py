"""The gradient of the update before a record, for the cosine of the angle between."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.commit import cond_rare
from keras_optlab.engine.backend.norms import norm
from keras_optlab.engine.backend.replicas import scope_of
from keras_optlab.engine.backend.variables import Pairs, read
from keras_optlab.engine.weights.parameter import Parameter


class PreviousGradient:
    """A copy of the gradient of one update, of all weights that are not frozen.

    It is made only at an update before one that is recorded.

    Args:
        add_variable: Creates a variable from its name, shape and type.
        add_slot: Creates one beside a weight, from the weight, name, shape, type and
            initializer.
        parameters: The weights.
    """

    def __init__(
        self,
        add_variable: Callable[..., Variable],
        add_slot: Callable[..., Variable],
        parameters: Sequence[Parameter],
    ) -> None:
        with scope_of(parameters[0].variable):
            self.at = add_variable("previous_gradient_at", (), "int")
            self.copies = [
                add_slot(
                    p.variable,
                    f"previous_gradient_{i}",
                    tuple(p.variable.shape),
                    p.dtype,
                    "zeros",
                )
                for i, p in enumerate(parameters)
            ]

    @property
    def variables(self) -> list[Variable]:
        """The state, which does not influence training."""
        return [self.at, *self.copies]

    def keep(
        self, due: Tensor | bool, t: Tensor, gradients: dict[int, Tensor]
    ) -> Pairs:
        """Return the next state, with the gradient of update `t` if that is due.

        Args:
            due: Whether update `t` + 1 is recorded.
            t: The number of this update.
            gradients: By position of the weight. Others have none, which is 0.
        """
        if due is False:
            return []

        def kept(i: int, before: Tensor) -> Tensor:
            new = gradients.get(i)
            if new is None:
                return cond_rare(due, ops.zeros_like, before)
            return cond_rare(due, lambda old: ops.cast(new, old.dtype), before)

        at = read(self.at)
        pairs = [(self.at, ops.where(due, ops.cast(t, at.dtype), at))]
        return pairs + [(v, kept(i, read(v))) for i, v in enumerate(self.copies)]

    def columns(self, t: Tensor, gradients: dict[int, Tensor]) -> Tensor:
        """Return each weight's inner product with the copy, and the copy's norm.

        Both are 0 if the copy is not that of update `t` - 1.
        """

        def row(i: int, x: Tensor) -> Tensor:
            g = gradients.get(i)
            product = ops.zeros((), x.dtype) if g is None else ops.sum(g * x)
            return ops.cast(ops.stack([product, norm(x)]), "float32")

        is_last = read(self.at) == ops.cast(t, self.at.dtype) - 1
        table = ops.stack([row(i, read(v)) for i, v in enumerate(self.copies)])
        return ops.where(is_last, table, ops.zeros_like(table))
