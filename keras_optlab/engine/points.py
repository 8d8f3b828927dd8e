"""Two points: the weights that training moves, and those that are to be evaluated.

Schedule-free methods and averages train at one point and are meant to be used at
another. While such an optimizer is compiled into a model, the model's weights are those
to be used whenever nothing trains: `fit` moves them to where it trains and back, and
what looks at them meanwhile, such as validation or a checkpoint, does the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from keras import ops

from keras_optlab.core import Record
from keras_optlab.engine.backends import Pairs, commit, read
from keras_optlab.engine.hyperparameters import Hyperparameters
from keras_optlab.engine.seam import is_purged


@contextlib.contextmanager
def training_point(optimizer: Any) -> Iterator[None]:
    """Have the weights where they train, and afterwards where they are evaluated."""
    if not optimizer.at_evaluation_point:
        yield
        return
    to_training(optimizer)
    try:
        yield
    finally:
        to_evaluation(optimizer)


@contextlib.contextmanager
def evaluation_point(optimizer: Any) -> Iterator[None]:
    """Have the weights where they are evaluated, and afterwards exactly as before."""
    if optimizer.at_evaluation_point or not optimizer.has_two_points:
        yield
        return
    kept = to_evaluation(optimizer)
    try:
        yield
    finally:
        commit(kept)
        optimizer.at_evaluation_point = False


def to_training(optimizer: Any) -> None:
    """Move the weights to where they train."""
    _move(optimizer, optimizer.to_training)
    optimizer.at_evaluation_point = False


def to_evaluation(optimizer: Any) -> Pairs:
    """Move the weights to where they are evaluated; return what was there before."""
    kept = _move(optimizer, optimizer.to_evaluation)
    optimizer.at_evaluation_point = True
    return kept


def _move(optimizer: Any, rule: Callable[..., tuple[Any, Record]]) -> Pairs:
    """Write what a rule makes of each weight and its slots; return the old values."""
    if not optimizer.built or is_purged(optimizer.updates):
        return []  # nothing has trained; or a step failed and took the state with it
    scalars, kept = Hyperparameters(optimizer), []
    for p in optimizer.plan.live:
        w = ops.cast(read(p.variable), p.dtype)
        s = Record(**{k: ops.cast(read(v), p.dtype) for k, v in p.slots.items()})
        new_w, new_s = rule(w, s, scalars.cast[p.group, p.dtype])
        changed = [k for k, x in s.items() if getattr(new_s, k) is not x]
        pairs = [
            (p.variable, new_w),
            *((p.slots[k], getattr(new_s, k)) for k in changed),
        ]
        pairs = [(v, ops.cast(x, v.dtype)) for v, x in pairs]
        kept += [(v, ops.copy(read(v))) for v, _ in pairs]
        commit([(v, ops.copy(x)) for v, x in pairs])
    return kept
