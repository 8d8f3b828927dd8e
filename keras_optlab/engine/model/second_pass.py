"""Second passes: more about the loss of the same batch, within one train step.

When a train step calls `apply`, its start is run again, as far as that call, for all
that the rule asks of the same batch: gradients at other weights, or a product with the
Hessian. Random numbers are what they were, so the dropout masks are the same, and what
the step has written beside the weights moves once. Then the update is applied, and the
step goes on. Any `train_step` will do that calls `apply` once, a user's own too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_optlab.core import Values
from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.commit import commit
from keras_optlab.engine.backend.finite import all_finite
from keras_optlab.engine.backend.keras_adapter import inner_optimizer
from keras_optlab.engine.backend.variables import read
from keras_optlab.engine.hyperparameters.per_step import StepHyperparameters
from keras_optlab.engine.weights.parameter import Parameter

Tensors = list[Any]


@dataclass
class Batch:
    """What a rule may ask about the loss of the present batch.

    Attributes:
        gradients_at: From weights to the gradients there.
        hessian_times: From a direction to the Hessian's product with it, here.
    """

    gradients_at: Callable[[Tensors], Tensors]
    hessian_times: Callable[[Tensors], Tensors]


def second_pass(
    optimizer: Any, batch: Batch, parameters: list[Parameter], gradients: Tensors
) -> Tensors:
    """Let the rule look again; return the gradients that it wants to step by.

    What it remembers is written only if all of it is finite. If it is not, the
    gradients become NaN, so that the step is skipped as for a bad gradient.
    """
    optimizer.plan.fill_slots()
    scalars = StepHyperparameters(optimizer)
    dtype = "float64" if any(p.dtype == "float64" for p in parameters) else "float32"

    def wide(xs: Sequence[Tensor]) -> Tensors:
        return [ops.cast(x, dtype) for x in xs]

    def own(xs: Sequence[Tensor]) -> Tensors:
        rows = zip(xs, parameters, strict=True)
        return [ops.cast(x, p.variable.dtype) for x, p in rows]

    ws, gs = wide([read(p.variable) for p in parameters]), wide(gradients)
    s = [
        Values(**{k: ops.cast(read(v), dtype) for k, v in p.slots.items()})
        for p in parameters
    ]
    asked = Batch(
        gradients_at=lambda ws: wide(batch.gradients_at(own(ws))),
        hessian_times=lambda zs: wide(batch.hessian_times(own(zs))),
    )
    h, t = scalars.base.cast(dtype), ops.cast(scalars.t, dtype)
    gs, after = optimizer.second_pass(asked, ws, gs, s, h, t)
    rows = [
        (p.slots[name], old, getattr(new, name))
        for p, before, new in zip(parameters, s, after, strict=True)
        for name, old in before.items()
        if getattr(new, name) is not old
    ]
    if rows:
        finite = all_finite([*gs, *(new for _, _, new in rows)])
        commit(
            [(v, ops.cast(ops.where(finite, x, old), v.dtype)) for v, old, x in rows]
        )
        gs = [ops.where(finite, g, float("nan") * ops.ones_like(g)) for g in gs]
    return gs


def apply(
    optimizer: Any, batch: Batch, gradients: Tensors, weights: Sequence[Any]
) -> None:
    """Update weights by their gradients and what else the rule asks of the batch."""
    parameters = optimizer.parameters_of(weights)
    gradients = second_pass(optimizer, batch, parameters, gradients)
    with optimizer.second_pass_done():
        optimizer.apply(gradients, weights)


class Found(BaseException):  # no `Exception`, which a user's step may catch
    """Ends a run of a train step at its call of `apply`: the rest is not needed."""

    def __init__(self, gradients: Tensors) -> None:
        super().__init__("a train step was left at its call of `apply`")
        self.gradients = gradients


def trainable_rows(gradients: Tensors, parameters: list[Parameter]) -> list[int]:
    """Return which weights have a gradient and are not frozen."""
    rows = enumerate(zip(gradients, parameters, strict=True))
    return [i for i, (g, p) in rows if g is not None and not p.frozen]


@contextlib.contextmanager
def replaced(owner: Any, **methods: Any) -> Iterator[None]:
    """Give an object other methods for a while."""
    own = vars(owner)
    before = {name: own[name] for name in methods if name in own}
    own.update(methods)
    try:
        yield
    finally:
        for name in methods:
            del own[name]
        own.update(before)


def refusal(model: Any, what: str) -> RuntimeError:
    """Return an error for a train step that cannot be looked at again."""
    rule = inner_optimizer(model.optimizer)
    return RuntimeError(
        f"{type(rule).__name__} looks at each batch more than once. Expected a "
        "`train_step` that calls `optimizer.apply` or `apply_gradients` (on JAX, "
        "`optimizer.stateless_apply`) once, and on torch `optimizer.scale_loss` before "
        f"`backward`. Received: the `train_step` of {type(model).__name__}, which "
        f"{what}."
    )


def never(model: Any) -> RuntimeError:
    """Return an error for a train step that does not apply."""
    return refusal(model, "does not")


def twice(model: Any) -> RuntimeError:
    """Return an error for a train step that applies twice."""
    return refusal(
        model,
        "calls it again. Add the losses up and apply their gradients together, or "
        "make an optimizer for each part; only the one that is compiled into the model "
        "may look twice",
    )
