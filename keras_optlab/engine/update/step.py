"""One call of `apply`: guard against bad gradients, accumulate, update, commit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.commit import (
    Case,
    can_branch,
    commit,
    commit_first,
    waits_to_branch,
)
from keras_optlab.engine.backend.finite import check_gradients
from keras_optlab.engine.backend.replicas import sum_over_replicas
from keras_optlab.engine.backend.variables import Pairs, read
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.hyperparameters.per_step import StepHyperparameters
from keras_optlab.engine.update.buckets import gather
from keras_optlab.engine.update.pipeline import Update
from keras_optlab.engine.update.sparse import with_gradients
from keras_optlab.engine.weights.parameter import Parameter


def take_step(
    optimizer: BuiltOptimizer, gradients: list[Tensor], indices: list[int]
) -> None:
    """Update the weights with these indices by their gradients."""
    every = optimizer.plan.parameters
    parameters = [every[i] for i in indices]
    if any(p.frozen for p in parameters):
        rows = zip(parameters, gradients, strict=True)
        gradients = [g for p, g in rows if not p.frozen]
        parameters = [p for p in parameters if not p.frozen]
    if not parameters:
        return
    parameters, gradients = with_gradients(optimizer, parameters, gradients)
    gradients = sum_over_replicas(gradients)
    if optimizer.accumulates:
        _accumulate(optimizer, parameters, gradients)
        return
    parameters, gradients = gather(optimizer, parameters, gradients)
    scalars = StepHyperparameters(optimizer)
    good, norm = _check(optimizer, gradients, scalars)
    whole = not optimizer.plan.elementwise
    if whole and good is not None and waits_to_branch(good):
        # The bad step is computed too, and torch's factorizations raise for a NaN.
        gradients = [_zero_unless(good, g) for g in gradients]

    def update(record: bool) -> Pairs:
        return Update(
            optimizer, parameters, gradients, scalars, record, norm, applies=good
        ).compute()

    if good is None:
        commit_first(_updates(optimizer, True, update))
    else:
        skip = partial(optimizer.skips.skip, scalars.done)
        commit_first([*_updates(optimizer, good, update), (True, skip)])


def judge(
    optimizer: BuiltOptimizer, gradients: list[Tensor], scalars: StepHyperparameters
) -> tuple[Tensor | None, Tensor | None]:
    """Return whether the step is good (`None`: always) and the global norm."""
    if not optimizer.skip_non_finite:
        return scalars.legal, None
    good, norm = check_gradients(gradients)
    if scalars.legal is not None:
        good = ops.logical_and(good, scalars.legal)
    guard = optimizer.norm_guard
    if guard is not None:
        good = ops.logical_and(good, guard.allows(norm))
    return good, norm


def _check(
    optimizer: BuiltOptimizer, gradients: list[Tensor], scalars: StepHyperparameters
) -> tuple[Tensor | None, Tensor | None]:
    """Return what `judge` returns; a `NormGuard` records it."""
    good, norm = judge(optimizer, gradients, scalars)
    if norm is not None and optimizer.norm_guard is not None:
        commit(optimizer.norm_guard.record(norm, good, scalars.done))
    return good, norm


def _updates(
    optimizer: BuiltOptimizer, condition: Tensor | bool, update: Callable[[bool], Pairs]
) -> list[Case]:
    """Return the cases of an update: with statistics if they are due, and without.

    If the step can branch, an update without statistics is a separate case. It is
    faster, since it need not keep gradients and updates in memory for statistics.
    """
    due = optimizer.recorder.due(read(optimizer.updates))
    if isinstance(due, bool) or not can_branch(due):
        return [(condition, partial(update, due is not False))]
    now = ops.logical_and(condition, due)
    return [(now, partial(update, True)), (condition, partial(update, False))]


def _accumulate(
    optimizer: BuiltOptimizer,
    parameters: list[Parameter],
    gradients: list[Tensor],
) -> None:
    """Add a micro-batch to the sums; at the end of a window, update by the mean.

    A bad micro-batch is neither added nor counted, so the mean is over the others. A
    window with only bad ones makes no update. A weight without a gradient in the last
    micro-batch is updated by the sum of the others in the window, divided by the same
    count, unless it has been frozen since.
    """
    window, skips = optimizer.window, optimizer.skips
    scalars = StepHyperparameters(optimizer)
    good, _ = _check(optimizer, gradients, scalars)
    present = {p.index for p in parameters}
    absent = [p for p in optimizer.plan.trainable if p.index not in present]
    sums = [optimizer.accumulators[p.index] for p in parameters + absent]
    added = [_zero_unless(good, g) for g in gradients]
    total = [
        read(a) + ops.cast(g, a.dtype)
        for a, g in zip(sums, added, strict=False)  # those of `parameters`
    ]
    total += [read(a) for a in sums[len(total) :]]
    one = 1 if good is None else ops.cast(good, read(optimizer.updates).dtype)
    counts = window.next(one, present)
    last = optimizer.is_complete(counts)
    skipped = skips.skip_unless(one, scalars.done)

    def update(record: bool) -> Pairs:
        mean = [x / ops.cast(counts.good, x.dtype) for x in total]
        rows = gather(optimizer, parameters, mean[: len(parameters)])
        late = [
            (p, x)
            for p, x in zip(absent, mean[len(parameters) :], strict=True)
            if p.variable.trainable
        ]
        there = {p.index: counts.gradients[p.index] > 0 for p, _ in late}
        together = rows[0] + [p for p, _ in late], rows[1] + [x for _, x in late]
        done = Update(
            optimizer, *together, scalars, record, changes_if=there, applies=now
        ).compute()
        emptied = [(a, ops.zeros_like(x)) for a, x in zip(sums, total, strict=True)]
        return [*done, *emptied, *window.emptied(counts), *skipped]

    def add() -> Pairs:
        kept = list(zip(sums, total, strict=True))[: len(parameters)]
        return [*kept, *window.kept(counts), *skipped]

    now = ops.logical_and(last, counts.good > 0)
    commit_first([*_updates(optimizer, now, update), (True, add)])


def _zero_unless(good: Tensor | None, g: Tensor) -> Tensor:
    return g if good is None else ops.where(good, g, ops.zeros_like(g))
