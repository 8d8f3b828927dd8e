"""Second passes: gradients at other weights and Hessian products, for the same batch.

When a train step calls `apply`, the step is run again from its start to that call, once
for each gradient or Hessian product that the rule asks for. Random numbers are
replayed, so dropout masks are the same. Other state that the step writes, such as
running statistics, is updated only once. Then the update is applied, and the step
continues. This works for any `train_step` that calls `apply` once, also a user's own.
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
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.hyperparameters.per_step import StepHyperparameters
from keras_optlab.engine.update.step import judge
from keras_optlab.engine.weights.parameter import Parameter

Tensors = list[Any]


@dataclass
class Batch:
    """The loss of the current batch and its derivatives, which a rule may ask for.

    Attributes:
        gradients_at: Returns the gradients at given weights.
        hessian_times: Returns the Hessian at the current weights times a direction.
        loss: Returns the loss at the current weights, without another pass.
        loss_scale: Returns the factor of mixed precision in the gradients that
            `second_pass` receives, but not in `loss`.
    """

    gradients_at: Callable[[Tensors], Tensors]
    hessian_times: Callable[[Tensors], Tensors]
    loss: Callable[[], Tensor]
    loss_scale: Callable[[], Tensor]


def second_pass(
    optimizer: BuiltOptimizer,
    batch: Batch,
    parameters: list[Parameter],
    gradients: Tensors,
) -> Tensors:
    """Run the rule's `second_pass`, write its slots, and return its gradients.

    Slots are written only if all their new values and the gradients are finite, and the
    step will not be skipped. If a value is not finite, the gradients become NaN, so
    that the step is skipped.
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
        loss=lambda: ops.cast(batch.loss(), dtype),
        loss_scale=lambda: ops.cast(batch.loss_scale(), dtype),
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
        unscaled = [g / asked.loss_scale() for g in gs]
        good, _ = judge(optimizer, unscaled, scalars)
        good = finite if good is None else ops.logical_and(finite, good)
        commit([(v, ops.cast(ops.where(good, x, old), v.dtype)) for v, old, x in rows])
        gs = [ops.where(finite, g, float("nan") * ops.ones_like(g)) for g in gs]
    return gs


def apply(
    optimizer: BuiltOptimizer, batch: Batch, gradients: Tensors, weights: Sequence[Any]
) -> None:
    """Update weights by their gradients, after a second pass over the batch."""
    parameters = optimizer.parameters_of(weights)
    gradients = second_pass(optimizer, batch, parameters, gradients)
    with optimizer.second_pass_done():
        optimizer.apply(gradients, weights)


class StopAtApply(BaseException):  # no `Exception`, which a user's step may catch
    """Exception that ends a second pass at its call of `apply`, with the gradients."""

    def __init__(self, gradients: Tensors) -> None:
        super().__init__("a train step was left at its call of `apply`")
        self.gradients = gradients


def trainable_rows(gradients: Tensors, parameters: list[Parameter]) -> list[int]:
    """Return which weights have a gradient and are not frozen."""
    rows = enumerate(zip(gradients, parameters, strict=True))
    return [i for i, (g, p) in rows if g is not None and not p.frozen]


@contextlib.contextmanager
def patched(owner: Any, **methods: Any) -> Iterator[None]:
    """Replace methods of an object within the context."""
    own = vars(owner)
    before = {name: own[name] for name in methods if name in own}
    own.update(methods)
    try:
        yield
    finally:
        for name in methods:
            del own[name]
        own.update(before)


def unsupported_step_error(model: Any, what: str) -> RuntimeError:
    """Return an error for a train step that cannot be run again."""
    rule = inner_optimizer(model.optimizer)
    return RuntimeError(
        f"{type(rule).__name__} looks at each batch more than once. Expected a "
        "`train_step` that calls `optimizer.apply` or `apply_gradients` (on JAX, "
        "`optimizer.stateless_apply`) once, and on torch `optimizer.scale_loss` before "
        f"`backward`. Received: the `train_step` of {type(model).__name__}, which "
        f"{what}."
    )


def no_apply_error(model: Any) -> RuntimeError:
    """Return an error for a train step that does not call `apply`."""
    return unsupported_step_error(model, "does not")


def no_loss_error(model: Any) -> RuntimeError:
    """Return an error for a train step whose loss is not known."""
    rule = inner_optimizer(model.optimizer)
    return RuntimeError(
        f"{type(rule).__name__} needs the loss of each batch. Expected a `train_step` "
        "that passes it to `optimizer.scale_loss` before the gradients are computed. "
        f"Received: the `train_step` of {type(model).__name__}, which does not."
    )


def second_apply_error(model: Any) -> RuntimeError:
    """Return an error for a train step that calls `apply` twice."""
    return unsupported_step_error(
        model,
        "calls it again. Add up the losses and apply their gradients together, or "
        "create an optimizer for each part; only the optimizer that is compiled into "
        "the model may look at a batch twice",
    )
