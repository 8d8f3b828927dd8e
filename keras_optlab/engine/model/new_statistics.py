"""Normalization statistics computed anew for the evaluation weights of a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from keras import ops

from keras_optlab.engine.backend.keras_adapter import is_purged
from keras_optlab.engine.backend.normalization import normalization_layers
from keras_optlab.engine.backend.variables import to_numpy
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.model import evaluation_weights
from keras_optlab.engine.model.normalization_pass import mean_statistics
from keras_optlab.engine.update.other_statistics import OtherStatistics, add_statistics


def refresh(model: Any, batches: Iterable[Any]) -> None:
    """Compute the statistics of the evaluation weights, and keep those of training.

    If the model has its training weights now, its statistics do not change: the new
    ones are kept for the next switch to the evaluation weights.
    """
    if not normalization_layers(model):
        return
    optimizers = optimizers_with_two_sets(model)
    moved = [o for o in optimizers if not o.at_evaluation_weights]
    with contextlib.ExitStack() as stack:
        for optimizer in moved:
            stack.enter_context(evaluation_weights.with_evaluation_weights(optimizer))
        new = {id(v): (v, x) for v, x in mean_statistics(model, batches)}
    if not new:
        return
    for optimizer in optimizers:
        found = statistics_of(optimizer)
        if found is None or not int(to_numpy(optimizer.updates)):
            continue
        if optimizer in moved:
            values = [
                np.concatenate([new.pop(id(v))[1].ravel() for v in part.variables])
                for part in found.parts
            ]
            found.keep(values)
        elif not found.is_current():
            found.keep(found.held())
    for variable, x in new.values():
        variable.assign(ops.cast(ops.convert_to_tensor(x), variable.dtype))


def begin(model: Any) -> bool:
    """Prepare for a `fit`; return whether an optimizer may need new statistics."""
    hooks = vars(model).get("_optlab_hooks")
    optimizers = [] if hooks is None else hooks.optimizers
    for found in (o.evaluation_statistics for o in optimizers):
        if found is not None:
            found.replaced = False
    return not all(o.averages_statistics for o in optimizers)


def optimizers_with_two_sets(model: Any) -> list[BuiltOptimizer]:
    """Return the optimizers of a model that have evaluation weights."""
    hooks = vars(model).get("_optlab_hooks")
    return [] if hooks is None else [o for o in hooks.optimizers if o.built]


def statistics_of(optimizer: BuiltOptimizer) -> OtherStatistics | None:
    """Return the second set of statistics of an optimizer, created if it is missing."""
    if optimizer.evaluation_statistics is None:
        add_statistics(optimizer)
    return optimizer.evaluation_statistics


def are_outdated(model: Any) -> bool:
    """Return whether evaluation would use statistics of other weights.

    That is so if evaluation and training weights differ, and the statistics of the
    former are neither averaged nor computed since the last update.
    """
    return any(_is_outdated(optimizer) for optimizer in optimizers_with_two_sets(model))


def _is_outdated(optimizer: BuiltOptimizer) -> bool:
    found = optimizer.evaluation_statistics
    if found is None or is_purged(optimizer.updates) or found.is_current():
        return False
    if not int(to_numpy(optimizer.updates)):
        return False
    return found.replaced or _differ(optimizer)


def _differ(optimizer: BuiltOptimizer) -> bool:
    """Return whether the two sets of weights differ."""
    own = {id(p.variable) for p in optimizer.plan.trainable}
    to_other = "to_training" if optimizer.at_evaluation_weights else "to_evaluation"
    return any(
        not np.array_equal(to_numpy(v), ops.convert_to_numpy(x))
        for v, x in optimizer.moves.pairs(to_other)
        if id(v) in own
    )
