"""Sections: weights that count their own updates, since they begin to train late.

A rule corrects its averages by the number of updates. For weights that were frozen
during the first 1000 updates, update 1001 is the first. A section has a counter of its
own, which the rule sees as `t` and `h.count`, and shared state of its own. Schedules
still count the updates of the optimizer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.keras_adapter import remove_variable
from keras_optlab.engine.backend.modules import eager_scope
from keras_optlab.engine.backend.variables import read, to_numpy
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.saving.entries import reset_weight_copies
from keras_optlab.engine.update.buckets import make_buckets
from keras_optlab.engine.update.plan import Section, give_slots, shared_slots
from keras_optlab.engine.weights.parameter import Parameter

CACHED = (
    "all_float32",
    "is_quantized",
    "owns_slots",
    "suits_kernels",
)  # properties of a `Parameter` that read its slots


def count_apart(
    optimizer: BuiltOptimizer, blocks: Iterable[Sequence[Variable]]
) -> bool:
    """Have the weights of each block count their own updates from now on.

    A block that has been frozen so far then trains like the weights of a new optimizer:
    its count begins at its own first update. While a block is frozen, its slots, its
    count and its shared state rest. Weights that have trained keep their count.

    A rule that finds its step size from sums over all weights, such as Prodigy, finds
    one for all weights: there sections share this state.

    Args:
        optimizer: The optimizer, built with the weights of all blocks.
        blocks: The blocks; those of an earlier call that are not in here are dissolved.

    Returns:
        Whether the step must be retraced.
    """
    known = {id(p.variable): p for p in optimizer.plan.trainable}
    apart = [[known[id(v)] for v in block if id(v) in known] for block in blocks]
    return divide(optimizer, apart)


def divide(optimizer: BuiltOptimizer, blocks: Iterable[Sequence[Parameter]]) -> bool:
    """Replace the sections of an optimizer; return whether they have changed."""
    plan = optimizer.plan
    parts = [part for block in blocks for part in _alike(optimizer, block)]
    present = [s.parameters for s in plan.sections.values()]
    if [_indices(x) for x in parts] == [_indices(x) for x in present]:
        return False
    before = [_state(optimizer, part[0]) for part in parts]
    with eager_scope():
        _dissolve(optimizer)
        for key, (part, state) in enumerate(
            zip(parts, before, strict=True), len(optimizer.groups)
        ):
            _add(optimizer, key, part, state)
        _renew_buckets(optimizer)
    vars(plan).pop("scalars", None)
    optimizer.moves.reset()
    return True


def start_copies(optimizer: BuiltOptimizer) -> None:
    """Copy weights again into slots that copy them, in sections without an update."""
    for section in optimizer.plan.sections.values():
        if int(to_numpy(section.updates)) == 0:
            reset_weight_copies(optimizer, indices=_indices(section.parameters))


def adopt(optimizer: BuiltOptimizer, counts: dict[str, np.ndarray]) -> None:
    """Make the sections of a saved state, before it is restored.

    Args:
        optimizer: The optimizer, built.
        counts: The saved number of updates of each weight that had its own, by path.
    """
    found: dict[tuple[int | None, int], list[Parameter]] = {}
    for p in optimizer.plan.trainable:
        path = p.path.replace("/", "|")
        if path in counts:
            found.setdefault((p.section, int(counts[path])), []).append(p)
        elif p.section is not None:
            found.setdefault((p.section, -1), []).append(p)
    divide(optimizer, found.values())


def follow(optimizer: BuiltOptimizer, counts: Collection[str]) -> None:
    """Set the counts that a restored state lacks to its number of updates.

    Args:
        optimizer: The optimizer, built.
        counts: Paths of the weights that have a count in the state.
    """
    for section in optimizer.plan.sections.values():
        if section.parameters[0].path.replace("/", "|") not in counts:
            section.updates.assign(ops.copy(read(optimizer.updates)))


def _indices(parameters: Iterable[Parameter]) -> list[int]:
    return [p.index for p in parameters]


def _alike(
    optimizer: BuiltOptimizer, block: Sequence[Parameter]
) -> list[list[Parameter]]:
    """Return the weights of a block, apart if their groups or counts differ."""
    alike: dict[Any, list[Parameter]] = {}
    for p in block:
        section = optimizer.plan.sections.get(p.key)
        updates = optimizer.updates if section is None else section.updates
        alike.setdefault((p.group, int(to_numpy(updates))), []).append(p)
    return list(alike.values())


def _state(optimizer: BuiltOptimizer, p: Parameter) -> dict[str, np.ndarray]:
    """Return the number of updates of a weight, as `""`, and its shared state."""
    plan = optimizer.plan
    section = plan.sections.get(p.key)
    updates = optimizer.updates if section is None else section.updates
    found = {"": updates, **plan.shared[p.key]}
    return {k: np.array(to_numpy(v)) for k, v in found.items()}  # JAX donates buffers


def _dissolve(optimizer: BuiltOptimizer) -> None:
    plan = optimizer.plan
    for key, section in plan.sections.items():
        remove_variable(optimizer, section.updates)
        if plan.owns(key):
            for v in plan.shared[key].values():
                remove_variable(optimizer, v)
        del plan.shared[key]
        for p in section.parameters:
            p.section = None
    plan.sections = {}


def _add(
    optimizer: BuiltOptimizer,
    key: int,
    parameters: list[Parameter],
    state: dict[str, np.ndarray],
) -> None:
    plan, group = optimizer.plan, parameters[0].group
    updates = optimizer.add_variable(
        shape=(),
        dtype="int",
        aggregation="only_first_replica",
        name=f"section{key}_updates",
    )
    updates.assign(state[""])
    plan.sections[key] = Section(group, parameters, updates)
    plan.shared[key] = plan.shared[group]
    if not optimizer.needs_sums:
        plan.shared[key] = shared_slots(
            optimizer, optimizer, optimizer.shared, f"section{key}"
        )
        for name, v in plan.shared[key].items():
            v.assign(state[name])
    for p in parameters:
        p.section = key


def _renew_buckets(optimizer: BuiltOptimizer) -> None:
    """Make buckets of weights of one section each; slots keep their values."""
    plan = optimizer.plan
    if not plan.buckets:
        return
    plan.fill_slots()
    bundled = [p for bucket in plan.buckets for p in bucket.members]
    values = [{k: to_numpy(v) for k, v in p.slots.items()} for p in bundled]
    for bucket in plan.buckets:
        for slot in bucket.slots.values():
            remove_variable(optimizer, slot)
    plan.buckets = make_buckets(optimizer, plan.trainable)
    give_slots(optimizer, bundled, plan.buckets)
    for p, saved in zip(bundled, values, strict=True):
        for name in CACHED:
            vars(p).pop(name, None)
        for name, x in saved.items():
            p.slots[name].assign(x)
