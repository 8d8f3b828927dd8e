"""Second passes: more about the loss of the same batch, within one train step.

A train step ends in `apply`. It is run with that replaced by what hands the gradients
out, and once more for everything else that the rule asks of the same batch: at other
weights, or with a product with the Hessian. Random numbers are what they were, so the
dropout masks are the same; metrics and the statistics of normalization move once, as
the first run left them. Any `train_step` will do that calls `apply`, a user's own too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import keras
from keras import ops

from keras_optlab.core import Record
from keras_optlab.engine.backends import (
    commit,
    dense,
    distributed,
    drawn_again,
    jax_module,
    random_numbers,
    raw,
    read,
    torch_module,
    twice_differentiable,
)
from keras_optlab.engine.guard import all_finite
from keras_optlab.engine.hyperparameters import Hyperparameters
from keras_optlab.engine.parameter import Parameter
from keras_optlab.engine.seam import inner_optimizer, loss_scale

Tensor = Any
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


def with_passes(model: Any, train_step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a train step in which the model's optimizer looks again."""
    on_jax = keras.backend.backend() == "jax"
    return partial(_stateless_step if on_jax else _step, model, train_step)


def second_pass(
    optimizer: Any, batch: Batch, parameters: list[Parameter], gradients: Tensors
) -> Tensors:
    """Let the rule look again; return the gradients that it wants to step by.

    What it remembers is written only if all of it is finite. If it is not, the
    gradients become NaN, so that the step is skipped as for a bad gradient.
    """
    scalars = Hyperparameters(optimizer)
    ws = [ops.cast(read(p.variable), p.dtype) for p in parameters]
    gs = [ops.cast(g, p.dtype) for p, g in zip(parameters, gradients, strict=True)]
    s = [
        Record(**{k: ops.cast(read(v), p.dtype) for k, v in p.slots.items()})
        for p in parameters
    ]
    t = scalars.t
    gs, after = optimizer.second_pass(batch, ws, gs, s, scalars.base, t)
    rows = [
        (p.slots[name], old, getattr(new, name))
        for p, before, new in zip(parameters, s, after, strict=True)
        for name, old in before.items()
        if getattr(new, name) is not old
    ]
    if rows:
        finite = all_finite([*gs, *(new for _, _, new in rows)])
        commit([(v, ops.where(finite, new, old)) for v, old, new in rows])
        gs = [ops.where(finite, g, float("nan") * ops.ones_like(g)) for g in gs]
    return gs


def apply(
    optimizer: Any, batch: Batch, gradients: Tensors, weights: Sequence[Any]
) -> None:
    """Update weights by their gradients and what else the rule asks of the batch."""
    parameters = optimizer.parameters_of(weights)
    gradients = second_pass(optimizer, batch, parameters, gradients)
    with optimizer.looked_again():
        optimizer.apply(gradients, weights)


def _rows(optimizer: Any, gradients: Tensors, weights: Sequence[Any]) -> list[int]:
    """Return which weights have a gradient and are not frozen."""
    return [
        i
        for i, (g, p) in enumerate(
            zip(gradients, optimizer.parameters_of(weights), strict=True)
        )
        if g is not None and not p.frozen
    ]


@contextlib.contextmanager
def _replaced(owner: Any, **methods: Any) -> Iterator[None]:
    """Give an object other methods for a while."""
    vars(owner).update(methods)
    try:
        yield
    finally:
        for name in methods:
            del vars(owner)[name]


def _no_apply(model: Any) -> RuntimeError:
    rule = inner_optimizer(model.optimizer)
    return RuntimeError(
        f"{type(rule).__name__} looks at each batch more than once. Expected a "
        "`train_step` that calls `optimizer.apply` or `apply_gradients` (on JAX, "
        "`optimizer.stateless_apply`) once, and on torch `optimizer.scale_loss` before "
        f"`backward`. Received: the `train_step` of {type(model).__name__}, which "
        "does not."
    )


# TensorFlow and torch: variables are written, and written back.


def _step(model: Any, train_step: Callable[..., Any], data: Any) -> Any:
    outer = model.optimizer
    optimizer = inner_optimizer(outer)
    if distributed():
        raise ValueError(
            f"{type(optimizer).__name__} looks at each batch more than once, which is "
            "not possible under a `tf.distribute` strategy. Train on one device, or "
            "on JAX with `keras.distribution`."
        )
    moving = [*model.non_trainable_variables, *model.metrics_variables]
    before, numbers = _values(moving), random_numbers()
    logs, gradients, weights = _gradients(model, train_step, data)
    after = _values(moving)
    rows = _rows(optimizer, gradients, weights)
    variables = [weights[i] for i in rows]

    def again(look: Callable[[], Tensors]) -> Tensors:
        _assign(moving, before)
        with drawn_again(numbers):
            found = look()
        _assign(moving, after)
        return found

    def gradients_at(ws: Tensors) -> Tensors:
        here = _values(variables)
        _assign(variables, ws)
        _, gs, _ = _gradients(model, train_step, data)
        _assign(variables, here)
        return dense([gs[i] for i in rows])

    batch = Batch(
        gradients_at=lambda ws: again(partial(gradients_at, ws)),
        hessian_times=lambda zs: again(
            partial(_hessian_times, model, train_step, data, rows, variables, zs)
        ),
    )
    parameters = optimizer.parameters_of(variables)
    with _no_grad():
        gs = second_pass(
            optimizer, batch, parameters, dense([gradients[i] for i in rows])
        )
    for i, g in zip(rows, gs, strict=True):
        gradients[i] = g
    with _no_grad(), optimizer.looked_again():
        outer.apply(gradients, weights)
    return logs


def _gradients(
    model: Any, train_step: Callable[..., Any], data: Any
) -> tuple[Any, Tensors, list[Any]]:
    """Run a train step but for its update; return its logs, gradients and weights."""
    found = SimpleNamespace(gradients=None, weights=None)

    def hand_out(grads: Any, trainable_variables: Any = None) -> None:
        weights = trainable_variables or model.trainable_variables
        found.gradients, found.weights = list(grads), list(weights)

    outer = model.optimizer
    if not outer.built:
        outer.build(model.trainable_variables)
    with _enable_grad(), _replaced(outer, apply=hand_out):
        logs = train_step(data)
    if found.gradients is None:
        raise _no_apply(model)
    return logs, found.gradients, found.weights


def _hessian_times(
    model: Any,
    train_step: Callable[..., Any],
    data: Any,
    rows: list[int],
    variables: list[Any],
    zs: Tensors,
) -> Tensors:
    if keras.backend.backend() == "torch":
        return _hessian_times_on_torch(model, train_step, data, variables, zs)
    import tensorflow as tf

    with tf.GradientTape() as tape, twice_differentiable():
        _, gs, _ = _gradients(model, train_step, data)
        gs = dense([gs[i] for i in rows])
    zs = [ops.cast(z, g.dtype) for z, g in zip(zs, gs, strict=True)]
    try:
        products = tape.gradient(
            gs,
            [raw(v) for v in variables],
            zs,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
    except LookupError as error:
        raise _no_second_derivative(model, error) from error
    return [p / loss_scale(model.optimizer, p.dtype) for p in dense(products)]


class _Found(Exception):  # noqa: N818  # no error: the rest of a pass is not needed
    """Ends a train step as soon as its loss is known."""


def _hessian_times_on_torch(
    model: Any,
    train_step: Callable[..., Any],
    data: Any,
    variables: list[Any],
    zs: Tensors,
) -> Tensors:
    torch = torch_module()
    ws, found = [raw(v) for v in variables], []

    def differentiate(loss: Tensor) -> Tensor:
        gs = torch.autograd.grad(loss, ws, create_graph=True, materialize_grads=True)
        directions = [z.to(g.dtype) for z, g in zip(zs, gs, strict=True)]
        found.extend(torch.autograd.grad(gs, ws, directions, materialize_grads=True))
        raise _Found

    with (
        contextlib.suppress(_Found),
        _replaced(model.optimizer, scale_loss=differentiate),
    ):
        _gradients(model, train_step, data)
    if not found:
        raise _no_apply(model)
    return found


def _no_second_derivative(model: Any, error: Exception) -> RuntimeError:
    return RuntimeError(
        f"A layer of {model.name!r} has no second derivative in TensorFlow, which "
        f"{type(inner_optimizer(model.optimizer)).__name__} needs: {error} Use an "
        "optimizer without a Hessian, or another backend."
    )


def _values(variables: Sequence[Any]) -> Tensors:
    return [ops.copy(read(v)) for v in variables]


def _assign(variables: Sequence[Any], values: Tensors) -> None:
    for variable, x in zip(variables, values, strict=True):
        variable.assign(ops.cast(x, variable.dtype))


def _no_grad() -> contextlib.AbstractContextManager[Any]:
    on_torch = keras.backend.backend() == "torch"
    return torch_module().no_grad() if on_torch else contextlib.nullcontext()


def _enable_grad() -> contextlib.AbstractContextManager[Any]:
    on_torch = keras.backend.backend() == "torch"
    return torch_module().enable_grad() if on_torch else contextlib.nullcontext()


# JAX: values are handed in and out.


def _stateless_step(
    model: Any, train_step: Callable[..., Any], state: Any, data: Any
) -> Any:
    weights, non_trainable, variables, metrics = state
    outer = model.optimizer
    optimizer = inner_optimizer(outer)

    def run(ws: Tensors) -> tuple[Tensors, Any]:
        found: list[Tensors] = []

        def hand_out(variables: Any, grads: Any, ws: Any) -> tuple[Any, Any]:
            found.append(list(grads))
            return ws, variables

        with _replaced(outer, stateless_apply=hand_out):
            ended = train_step((ws, non_trainable, variables, metrics), data)
        if not found:
            raise _no_apply(model)
        return found[0], ended

    gradients, (logs, ended) = run(weights)
    rows = [p.index for p in optimizer.plan.live]

    def placed(xs: Tensors) -> Tensors:
        full = list(weights)
        for i, x in zip(rows, xs, strict=True):
            full[i] = ops.cast(x, weights[i].dtype)
        return full

    def gradients_at(ws: Tensors) -> Tensors:
        gs, _ = run(placed(ws))
        return dense([gs[i] for i in rows])

    def hessian_times(zs: Tensors) -> Tensors:
        here = [weights[i] for i in rows]
        gs, pull_back = jax_module().vjp(gradients_at, here)
        rows_of = zip(zs, gs, strict=True)
        (products,) = pull_back([ops.cast(z, g.dtype) for z, g in rows_of])
        return [p / loss_scale(outer, p.dtype) for p in products]

    held = [*optimizer.weights, *outer.variables]
    held = list(zip(held, [*weights, *variables], strict=True))
    with keras.StatelessScope(state_mapping=held) as scope:
        batch = Batch(gradients_at, hessian_times)
        given = dense([gradients[i] for i in rows])
        gs = second_pass(optimizer, batch, optimizer.plan.live, given)
    values = [scope.get_current_value(v) for v in outer.variables]
    for i, g in zip(rows, gs, strict=True):
        gradients[i] = g
    with optimizer.looked_again():
        weights, variables = outer.stateless_apply(values, gradients, weights)
    return logs, (weights, ended[1], variables, ended[3])
