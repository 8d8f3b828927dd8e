"""Lazy updates: of a weight, the rows that a sparse gradient touches."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from keras import ops

from keras_optlab.engine.backends import in_replica, touched_rows
from keras_optlab.engine.gradients import as_gradients, dense
from keras_optlab.engine.parameter import Parameter
from keras_optlab.engine.views import Rows

Tensor = Any


@dataclass
class Touched(Parameter):
    """Some rows of a weight, which go through an update as if they were all of it.

    Attributes:
        whole: The weight.
    """

    whole: Parameter = field(kw_only=True)

    @classmethod
    def of(cls, whole: Parameter, at: Tensor) -> Touched:
        """Return the rows of a weight and of its slots."""
        same = {f.name: getattr(whole, f.name) for f in fields(whole)}
        slots = {name: Rows(slot, at) for name, slot in whole.slots.items()}
        rows = Rows(whole.variable, at)
        return cls(**same | {"variable": rows, "slots": slots}, whole=whole)

    @cached_property
    def size(self) -> int:
        """Nothing: how many rows there are is not known before."""
        return 0

    @property
    def members(self) -> list[Parameter]:
        """The weight."""
        return [self.whole]

    def split(self, x: Tensor) -> list[Tensor]:
        """Return a tensor of its shape as one of the weight's, zero elsewhere."""
        shape = tuple(self.whole.variable.shape)
        return [ops.scatter(self.variable.at[:, None], x, shape)]


def with_gradients(
    optimizer: Any, parameters: list[Parameter], gradients: list[Tensor]
) -> tuple[list[Parameter], list[Tensor]]:
    """Return what is updated for these gradients, and the gradients of just that."""
    variables = [p.variable for p in parameters]
    if optimizer.sparse != "lazy":
        return parameters, dense(gradients, variables)
    gradients = as_gradients(gradients, variables)
    rows = [touched_rows(g) for g in gradients]
    if in_replica() and any(rows):
        raise NotImplementedError(
            "Under a `tf.distribute` strategy replicas touch different rows. "
            'Received: sparse="lazy". Use sparse="dense".'
        )
    found = zip(parameters, rows, strict=True)
    parameters = [Touched.of(p, row[0]) if row else p for p, row in found]
    whole = zip(gradients, rows, strict=True)
    gradients = [row[1] if row else g for g, row in whole]
    return parameters, dense(gradients, [p.variable for p in parameters])
