"""Restoring a model's running statistics after a skipped step.

The forward pass of a bad batch changes the running statistics of normalization before
its gradients are known to be bad.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.commit import commit_first
from keras_optlab.engine.backend.keras_adapter import inner_optimizer
from keras_optlab.engine.backend.replicas import in_replica
from keras_optlab.engine.backend.variables import read


def with_statistics_kept(
    model: keras.Model, train_step: Callable[..., Any]
) -> Callable[..., Any]:
    """Return a train step that restores the model's state after a skipped step.

    This state is the non-trainable variables of a floating dtype. Seeds are not
    restored. If the optimizer has a `NormGuard`, the metrics are restored too, so that
    the means of the epoch leave out the batches of skipped steps.
    """
    on_jax = keras.backend.backend() == "jax"
    return partial(_stateless_step if on_jax else _step, model, train_step)


def _step(model: keras.Model, train_step: Callable[..., Any], data: Any) -> Any:
    variables = [v for v in model.non_trainable_variables if _is_float(v)]
    if _is_guarded(model) and not in_replica():
        variables += model.metrics_variables
    if not variables or not model.trainable_variables:
        return train_step(data)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    before = [_now(v) for v in variables]
    counters = [_now(v) for v in _counters(model.optimizer)]
    logs = train_step(data)
    skipped = _skipped(counters, [read(v) for v in _counters(model.optimizer)])
    pairs = list(zip(variables, before, strict=True))
    if in_replica():
        for variable, x in pairs:
            variable.assign(ops.where(skipped, x, read(variable)))
    else:
        commit_first([(skipped, lambda: pairs), (True, list)])
    return logs


def _stateless_step(
    model: keras.Model, train_step: Callable[..., Any], state: Any, data: Any
) -> Any:
    ids = [id(v) for v in model.optimizer.variables]
    at = [ids.index(id(v)) for v in _counters(model.optimizer)]
    _, before, counters, known = state
    logs, (weights, after, variables, metrics) = train_step(state, data)
    skipped = _skipped([counters[i] for i in at], [variables[i] for i in at])
    after = [
        new if new is old or not _is_float(new) else ops.where(skipped, old, new)
        for old, new in zip(before, after, strict=True)
    ]
    if _is_guarded(model):
        rows = zip(known, metrics, strict=True)
        metrics = [ops.where(skipped, old, new) for old, new in rows]
    return logs, (weights, after, variables, metrics)


def _counters(optimizer: Any) -> list[Variable]:
    """Return the variables that a skipped step changes: its counter, the loss scale."""
    inner = inner_optimizer(optimizer)
    scale = [] if inner is optimizer else [optimizer.dynamic_scale]
    return [inner.skips.total, *scale]


def _skipped(before: list[Tensor], now: list[Tensor]) -> Tensor:
    """Return whether the step was skipped: by the guard, or by the loss scaling."""
    skipped = now[0] > before[0]
    for scale, new in zip(before[1:], now[1:], strict=True):
        skipped = ops.logical_or(skipped, new < scale)
    return skipped


def _is_guarded(model: Any) -> bool:
    return inner_optimizer(model.optimizer).norm_guard is not None


def _is_float(x: Any) -> bool:
    return "float" in keras.backend.standardize_dtype(x.dtype)


def _now(variable: Variable) -> Tensor:
    """Return the present value as a tensor that later writes do not change."""
    x = read(variable)
    return ops.copy(x) if keras.backend.backend() == "torch" else x
