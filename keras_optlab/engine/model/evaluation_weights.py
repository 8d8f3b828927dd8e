"""Two points: the weights that training moves, and those that are to be evaluated.

Schedule-free methods and averages train at one point and are meant to be used at
another. While such an optimizer is compiled into a model, the model's weights are those
to be used whenever nothing trains: `fit` moves them to where it trains and back, and
what looks at them meanwhile, such as validation or a checkpoint, does the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_optlab.engine.backend.commit import commit
from keras_optlab.engine.backend.keras_adapter import is_purged
from keras_optlab.engine.backend.variables import Pairs, to_numpy
from keras_optlab.engine.saving.entries import begin_copies


@contextlib.contextmanager
def with_training_weights(optimizer: Any) -> Iterator[None]:
    """Have the weights where they train, and afterwards where they are evaluated."""
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
def with_evaluation_weights(optimizer: Any) -> Iterator[None]:
    """Have the weights where they are evaluated, and afterwards exactly as before."""
    if optimizer.at_evaluation_weights or not optimizer.has_evaluation_weights:
        yield
        return
    kept = _move(optimizer, "to_evaluation", keep=True)
    optimizer.at_evaluation_weights = True
    try:
        yield
    finally:
        commit(kept)
        optimizer.at_evaluation_weights = False


@contextlib.contextmanager
def replaced(optimizer: Any) -> Iterator[None]:
    """Have weights replaced by others that are to be evaluated.

    If no state of the optimizer comes along, both sets of those weights that have
    changed start from what they have become.
    """
    was, loaded = optimizer.at_evaluation_weights, optimizer.times_loaded
    move_to(optimizer, evaluation=True)
    before = _weights(optimizer)
    try:
        yield
        if optimizer.times_loaded == loaded:
            changed = _changed(before, _weights(optimizer))
            if changed:
                begin_copies(optimizer, optimizer.other_set, changed)
    finally:
        move_to(optimizer, evaluation=was)


def move_to(optimizer: Any, evaluation: bool) -> None:
    """Move the weights to where they are evaluated, or to where they train."""
    if optimizer.at_evaluation_weights != evaluation:
        _move(optimizer, "to_evaluation" if evaluation else "to_training", keep=False)
        optimizer.at_evaluation_weights = evaluation


def _move(optimizer: Any, direction: str, keep: bool) -> Pairs:
    if not optimizer.built or is_purged(optimizer.updates):
        return []  # nothing has trained; or a step failed and took the state with it
    return optimizer.moves.move(direction, keep)


def _build(optimizer: Any) -> None:
    """Build before the first step if state waits for it, which moves the weights."""
    waits = not optimizer.built and optimizer.pending_state is not None
    for model in [m for m in optimizer.models if waits and m.built]:
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)


def _weights(optimizer: Any) -> dict[int, np.ndarray]:
    if not optimizer.built or is_purged(optimizer.updates):
        return {}
    return {p.index: to_numpy(p.variable) for p in optimizer.plan.trainable}


def _changed(
    before: dict[int, np.ndarray], after: dict[int, np.ndarray]
) -> dict[int, np.ndarray]:
    same = [i for i in after if i in before and np.array_equal(before[i], after[i])]
    return {i: x for i, x in after.items() if i not in same}
