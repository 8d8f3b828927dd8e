"""Updates of only those rows of a weight that a sparse gradient touches.

`sparse="lazy"` requests this. With `sparse="dense"` it is done too, as a faster way to
the same result, for rules that leave entries without a gradient unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property

from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.gradients import as_gradients, dense, is_sparse
from keras_optlab.engine.backend.replicas import in_replica
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.update.buckets import SMALL
from keras_optlab.engine.weights.parameter import Parameter
from keras_optlab.engine.weights.rows import touched_rows
from keras_optlab.engine.weights.views import Rows

RULE = "update", "after_step", "second_pass", "use_sums"  # can change weights
MOVE_ALL_ROWS = "weight_decay", "l1", "l2", "l1_proximal"


@dataclass
class Touched(Parameter):
    """The touched rows of a weight, updated as if they were a weight.

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
        """0, since the number of rows is not known when a step is traced."""
        return 0

    @property
    def members(self) -> list[Parameter]:
        """The weight."""
        return [self.whole]

    def split(self, x: Tensor) -> list[Tensor]:
        """Return a tensor of the rows as one of the whole weight, zero elsewhere."""
        shape = tuple(self.whole.variable.shape)
        return [ops.scatter(self.variable.at[:, None], x, shape)]


def with_gradients(
    optimizer: BuiltOptimizer, parameters: list[Parameter], gradients: list[Tensor]
) -> tuple[list[Parameter], list[Tensor]]:
    """Return what to update, weights or touched rows, and the dense gradients of it."""
    gradients = as_gradients(gradients, [p.variable for p in parameters])
    if not any(map(is_sparse, gradients)):
        return parameters, gradients
    lazy = optimizer.sparse == "lazy"
    rows = [
        touched_rows(g) if lazy or _leaves_others(optimizer, p) else None
        for p, g in zip(parameters, gradients, strict=True)
    ]
    if in_replica() and any(rows):
        raise NotImplementedError(
            "Lazy updates are not possible under a `tf.distribute` strategy, since "
            "replicas touch different rows. "
            'Received: sparse="lazy". Use sparse="dense".'
        )
    found = zip(parameters, rows, strict=True)
    parameters = [Touched.of(p, row[0]) if row else p for p, row in found]
    whole = zip(gradients, rows, strict=True)
    gradients = [row[1] if row else g for g, row in whole]
    return parameters, dense(gradients, [p.variable for p in parameters])


def _leaves_others(optimizer: BuiltOptimizer, p: Parameter) -> bool:
    """Return whether rows of a large weight stay unchanged without a gradient."""
    own = optimizer.groups[p.group].hyperparameters if p.group >= 0 else {}
    values = optimizer.scalars.values | own
    decays = p.regularized and any(values[k] is not None for k in MOVE_ALL_ROWS)
    sees_all = (
        optimizer.accumulates
        or optimizer.use_ema
        or optimizer.transforms
        or values["adaptive_clipnorm"] is not None
        or optimizer.slot_dtype is not None
    )
    return (
        p.size >= SMALL
        and optimizer.plan.elementwise
        and rests_without_gradient(optimizer)
        and not (decays or sees_all or in_replica())
    )


def rests_without_gradient(optimizer: BuiltOptimizer) -> bool:
    """Return whether the rule declares it, and no subclass overrides the rule."""
    classes = type(optimizer).__mro__

    def owner(name: str) -> int:
        return next(i for i, c in enumerate(classes) if name in vars(c))

    said = owner("rests_without_gradient")
    same = all(said <= owner(name) for name in RULE)
    return same and optimizer.rests_without_gradient
