"""One call of `apply`: guard against bad gradients, accumulate, update, commit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from keras import ops

from keras_optlab.engine.backends import (
    Case,
    Pairs,
    branches,
    commit_first,
    read,
    sum_over_replicas,
)
from keras_optlab.engine.buckets import gather
from keras_optlab.engine.guard import all_finite
from keras_optlab.engine.hyperparameters import Hyperparameters
from keras_optlab.engine.parameter import Parameter
from keras_optlab.engine.sparse import with_gradients
from keras_optlab.engine.update import Update

Tensor = Any


def take_step(optimizer: Any, gradients: list[Tensor], indices: list[int]) -> None:
    """Update the weights with these indices by their gradients."""
    rows = [
        (optimizer.plan.parameters[i], g)
        for i, g in zip(indices, gradients, strict=True)
        if not optimizer.plan.parameters[i].frozen
    ]
    if not rows:
        return
    parameters, gradients = with_gradients(
        optimizer, [p for p, _ in rows], [g for _, g in rows]
    )
    gradients = sum_over_replicas(gradients)
    if optimizer.accumulates:
        _accumulate(optimizer, parameters, gradients)
        return
    parameters, gradients = gather(optimizer, parameters, gradients)
    scalars, guarded = Hyperparameters(optimizer), optimizer.skip_non_finite
    finite, norm = all_finite(gradients) if guarded else (None, None)

    def update(record: bool) -> Pairs:
        return Update(optimizer, parameters, gradients, scalars, record, norm).compute()

    def skip() -> Pairs:
        return [(optimizer.skipped_steps, read(optimizer.skipped_steps) + 1)]

    if finite is None:
        commit_first(_updates(optimizer, True, update))
    else:
        commit_first([*_updates(optimizer, finite, update), (True, skip)])


def _updates(
    optimizer: Any, condition: Tensor | bool, update: Callable[[bool], Pairs]
) -> list[Case]:
    """Return when to update and how: with records, where these are due.

    Where branching costs nothing, the update that records nothing is one of its own,
    since to keep gradients and changes until they are measured slows the rest down.
    """
    due = optimizer.recorder.due(read(optimizer.updates) + 1)
    if isinstance(due, bool) or not branches(due):
        return [(condition, partial(update, due is not False))]
    now = ops.logical_and(condition, due)
    return [(now, partial(update, True)), (condition, partial(update, False))]


def _accumulate(
    optimizer: Any,
    parameters: list[Parameter],
    gradients: list[Tensor],
) -> None:
    """Add the micro-batch; at the end of a window update by the average.

    A micro-batch that is not finite adds nothing and is not counted, so the average is
    over the others; a window of bad ones updates nothing.
    """
    finite = all_finite(gradients)[0] if optimizer.skip_non_finite else None
    sums = [optimizer.accumulators[p.index] for p in parameters]
    total = [
        read(a) + ops.cast(_zero_unless(finite, g), a.dtype)
        for a, g in zip(sums, gradients, strict=True)
    ]
    count, skipped = read(optimizer.accumulated), read(optimizer.skipped_steps)
    good = 1 if finite is None else ops.cast(finite, count.dtype)
    count = count + good
    skips = (optimizer.skipped_steps, skipped + 1 - good)
    last = optimizer.is_complete(count)

    def update(record: bool) -> Pairs:
        mean = [x / ops.cast(count, x.dtype) for x in total]
        emptied = [(a, ops.zeros_like(x)) for a, x in zip(sums, total, strict=True)]
        rows = gather(optimizer, parameters, mean)
        scalars = Hyperparameters(optimizer)
        done = Update(optimizer, *rows, scalars, record).compute()
        return [*done, *emptied, (optimizer.accumulated, count * 0), skips]

    def add() -> Pairs:
        added = list(zip(sums, total, strict=True))
        return [*added, (optimizer.accumulated, count), skips]

    now = ops.logical_and(last, count > 0)
    commit_first([*_updates(optimizer, now, update), (True, add)])


def _zero_unless(finite: Tensor | None, g: Tensor) -> Tensor:
    return g if finite is None else ops.where(finite, g, ops.zeros_like(g))
