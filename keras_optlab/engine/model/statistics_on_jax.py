"""Averages of normalization statistics on JAX, continued at the end of a train step.

There the optimizer's step cannot read the statistics, which are in another part of the
state that the train step takes and returns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_optlab.engine.backend.variables import read
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.hyperparameters.per_step import StepHyperparameters
from keras_optlab.engine.update.other_statistics import second_sets
from keras_optlab.engine.update.statistic_averages import next_averages


def with_statistics_averaged(
    model: keras.Model,
    optimizers: list[BuiltOptimizer],
    train_step: Callable[..., Any],
) -> Callable[..., Any]:
    """Return a train step that also averages the statistics after each update."""
    return partial(_step, model, optimizers, train_step)


def _step(
    model: Any,
    optimizers: list[BuiltOptimizer],
    train_step: Callable[..., Any],
    state: Any,
    data: Any,
) -> Any:
    before = state[2]
    logs, (weights, others, own, metrics) = train_step(state, data)
    for optimizer in optimizers:
        if second_sets(optimizer):
            own = _averaged(model, optimizer, others, before, own)
    return logs, (weights, others, own, metrics)


def _averaged(
    model: Any, optimizer: BuiltOptimizer, others: Any, before: Any, own: Any
) -> list[Any]:
    """Return the state of the optimizer with the next averages, if it has updated."""
    variables = model.optimizer.variables
    places = {id(v): i for i, v in enumerate(variables)}
    at = places[id(optimizer.updates)]
    state = list(zip(model.non_trainable_variables, others, strict=True))
    state += zip(variables, own, strict=True)
    state.append((optimizer.updates, before[at]))  # hyperparameters of this update
    with keras.StatelessScope(state):
        pairs = next_averages(optimizer, StepHyperparameters(optimizer))
        values = {places[id(v)]: ops.cast(x, v.dtype) for v, x in pairs}
        kept = {i: read(variables[i]) for i in values}
    updated = own[at] > before[at]
    new = list(own)
    for i, x in values.items():
        new[i] = ops.where(updated, x, kept[i])
    return new
