"""Switching a model between its training weights and its evaluation weights.

Schedule-free methods and averages (EMA, SWA) train with one set of weights and are
evaluated with another. While such an optimizer is compiled into a model, the model has
its evaluation weights whenever nothing trains. `fit` switches to the training weights
and back. Validation and checkpoints during `fit` switch to the evaluation weights.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from keras_optlab.engine.backend.commit import commit
from keras_optlab.engine.backend.keras_adapter import is_purged
from keras_optlab.engine.backend.variables import Pairs, to_numpy
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.saving.entries import reset_weight_copies
from keras_optlab.engine.update.other_statistics import OtherStatistics


@contextlib.contextmanager
def with_training_weights(optimizer: BuiltOptimizer) -> Iterator[None]:
    """Switch to the training weights; at exit, to the evaluation weights."""
    if not optimizer.at_evaluation_weights:
        yield
        return
    _build(optimizer)
    move_to(optimizer, evaluation=False)
    try:
        yield
    finally:
        move_to(optimizer, evaluation=True)


@contextlib.contextmanager
def with_evaluation_weights(optimizer: BuiltOptimizer) -> Iterator[None]:
    """Switch to the evaluation weights; at exit, restore the previous ones exactly."""
    if optimizer.at_evaluation_weights or not optimizer.has_evaluation_weights:
        yield
        return
    known = _statistics(optimizer)
    kept = _move(optimizer, "to_evaluation", keep=True)
    optimizer.at_evaluation_weights = True
    try:
        yield
    finally:
        computed = None if known else _statistics(optimizer)
        new = [] if computed is None else computed.held()
        commit(kept)
        optimizer.at_evaluation_weights = False
        if computed is not None:
            computed.keep(new)


@contextlib.contextmanager
def loading_weights(optimizer: BuiltOptimizer) -> Iterator[None]:
    """Have the context replace evaluation weights, as `load_weights` does.

    If it loads no optimizer state, both sets of each changed weight start from the new
    value.
    """
    was, loaded = optimizer.at_evaluation_weights, optimizer.times_loaded
    move_to(optimizer, evaluation=True)
    before, statistics = _weights(optimizer), optimizer.evaluation_statistics
    held = statistics.held() if statistics is not None and before else []
    try:
        yield
        if optimizer.times_loaded == loaded:
            changed = _changed(before, _weights(optimizer))
            if changed:
                reset_weight_copies(optimizer, optimizer.other_set, changed)
            if statistics is not None and held:
                statistics.follow(held)
                statistics.replaced |= bool(changed)
    finally:
        move_to(optimizer, evaluation=was)


def move_to(optimizer: BuiltOptimizer, evaluation: bool) -> None:
    """Switch the model to its evaluation weights, or to its training weights."""
    if optimizer.at_evaluation_weights != evaluation:
        _move(optimizer, "to_evaluation" if evaluation else "to_training", keep=False)
        optimizer.at_evaluation_weights = evaluation


def _move(optimizer: BuiltOptimizer, direction: str, keep: bool) -> Pairs:
    if not optimizer.built or is_purged(optimizer.updates):
        return []  # no step yet, or a failed step on JAX lost the state
    return optimizer.moves.move(direction, keep)


def _statistics(optimizer: BuiltOptimizer) -> OtherStatistics | None:
    """Return the statistics of normalization that belong to the evaluation weights."""
    found = optimizer.evaluation_statistics
    if found is None or is_purged(optimizer.updates) or not found.is_current():
        return None
    return found


def _build(optimizer: BuiltOptimizer) -> None:
    """Build before the first step if state is pending, which may switch the weights."""
    waits = not optimizer.built and optimizer.pending_state is not None
    for model in [m for m in optimizer.models if waits and m.built]:
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)


def _weights(optimizer: BuiltOptimizer) -> dict[int, np.ndarray]:
    if not optimizer.built or is_purged(optimizer.updates):
        return {}
    return {p.index: to_numpy(p.variable) for p in optimizer.plan.trainable}


def _changed(
    before: dict[int, np.ndarray], after: dict[int, np.ndarray]
) -> dict[int, np.ndarray]:
    same = [i for i in after if i in before and np.array_equal(before[i], after[i])]
    return {i: x for i, x in after.items() if i not in same}
