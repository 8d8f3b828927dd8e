"""Saving and loading: by slot and name of the weight, never by position.

A key is `slot|name|index|path`, with `|` for `/` since a slash would nest; what is kept
once has a key without index. Weights are matched by path; where the paths differ only
because Keras numbered the layers of an equal model anew, by their order. Files that
stock Keras optimizers wrote by position still load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from keras import ops

Variable = Any
Shelf = dict[str, dict[str, Any]]  # slot name -> path of a weight -> its value


def save(optimizer: Any, store: Any) -> None:
    """Write every variable of the optimizer into a store of arrays."""
    for key, variable in _singles(optimizer).items():
        store[key] = ops.convert_to_numpy(variable.value)
    if optimizer.built:
        for slot, index, path, variable in _slots(optimizer):
            key = f"slot|{slot}|{index:05d}|{path.replace('/', '|')}"
            store[key] = ops.convert_to_numpy(variable.value)


def load(optimizer: Any, store: Any) -> None:
    """Read the state; before `build` it is kept until there are weights.

    Raises:
        ValueError: if the saved state is that of another optimizer or other weights.
    """
    saved = {key: np.asarray(store[key]) for key in store.keys()}  # noqa: SIM118
    if not saved:
        return  # saved without an optimizer
    if not optimizer.built:
        optimizer.pending_state = saved
    elif all(key.isdigit() for key in saved):
        _load_positional(optimizer, saved)
    else:
        _load_named(optimizer, saved)


def load_pending(optimizer: Any) -> None:
    """Apply what was loaded before the optimizer was built."""
    saved = optimizer.pending_state
    if saved is not None:
        optimizer.pending_state = None
        load(optimizer, saved)


def _singles(optimizer: Any) -> dict[str, Variable]:
    """Return what is kept once: counters, the rate, hyperparameters, shared state."""
    singles = {
        "iteration": optimizer.micro_steps,
        "updates": optimizer.updates,
        "skipped_steps": optimizer.skipped_steps,
    }
    if hasattr(optimizer.base_learning_rate, "assign"):
        singles["learning_rate"] = optimizer.base_learning_rate
    live = {"": optimizer} | {f"{i}.": t for i, t in enumerate(optimizer.transforms)}
    for prefix, owner in live.items():
        for name, variable in owner.live.variables.items():
            singles[f"hyper|{prefix}{name}"] = variable
    if optimizer.built:
        singles |= _shared(optimizer)
    return singles


def _shared(optimizer: Any) -> dict[str, Variable]:
    shared = {f"group {g}": v for g, v in optimizer.plan.shared.items()}
    shared |= {f"{i}": v for i, v in enumerate(optimizer.plan.transform_shared)}
    found = {
        f"shared|{where}|{name}": variable
        for where, variables in shared.items()
        for name, variable in variables.items()
    }
    if optimizer.accumulates:
        found |= optimizer.window.variables
    return found


def _slots(optimizer: Any) -> Iterator[tuple[str, int, str, Variable]]:
    """Yield slot name, index of the weight, its path, and the variable."""
    for p in optimizer.plan.parameters:
        for name, variables in (
            ("average", optimizer.averages),
            ("accumulator", optimizer.accumulators),
        ):
            if variables and variables[p.index] is not None:
                yield name, p.index, p.path, variables[p.index]
        for name, variable in p.slots.items():
            yield name, p.index, p.path, variable
        for i, slots in enumerate(p.transform_slots):
            for name, variable in slots.items():
                yield f"{i}.{name}", p.index, p.path, variable


def _load_named(optimizer: Any, saved: Mapping[str, np.ndarray]) -> None:
    own, theirs = _own_shelf(optimizer), _saved_shelf(saved)
    problems = _differences("slots", list(theirs), list(own))
    pairs: list[tuple[Variable, np.ndarray]] = []
    for slot in own.keys() & theirs.keys():
        names = _matched(list(theirs[slot]), list(own[slot]))
        if names is None:
            problems += _differences(
                f"weights of slot {slot!r}", list(theirs[slot]), list(own[slot])
            )
            continue
        for their_path, path in names.items():
            value, variable = theirs[slot][their_path], own[slot][path]
            if tuple(value.shape) != tuple(variable.shape):
                problems.append(
                    f"{slot!r} of {path!r} has shape {tuple(value.shape)} in the file "
                    f"and {tuple(variable.shape)} here"
                )
            pairs.append((variable, value))
    singles = _singles(optimizer)
    shared = [k for k in saved if k.startswith("shared|")]
    problems += _differences("shared state", shared, list(_shared_keys(singles)))
    if problems:
        raise _mismatch(optimizer, problems)
    pairs += [(singles[key], saved[key]) for key in singles.keys() & saved.keys()]
    for variable, value in pairs:
        variable.assign(value)


def _load_positional(optimizer: Any, saved: Mapping[str, np.ndarray]) -> None:
    """Read what a stock Keras optimizer wrote: the twin's state in Keras' order."""
    variables = list(_keras_order(optimizer))
    values = [saved[str(i)] for i in range(len(saved))]
    shapes = [tuple(v.shape) for v in variables], [tuple(v.shape) for v in values]
    if shapes[0] != shapes[1]:
        raise _mismatch(
            optimizer,
            [
                f"the file holds {len(values)} unnamed values of shapes {shapes[1]}, "
                f"and {len(variables)} of shapes {shapes[0]} are expected"
            ],
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    steps = optimizer.gradient_accumulation_steps or 1
    optimizer.updates.assign(int(values[0]) // steps)


def _keras_order(optimizer: Any) -> Iterator[Variable]:
    yield optimizer.micro_steps
    if hasattr(optimizer.base_learning_rate, "assign"):
        yield optimizer.base_learning_rate
    yield from (v for v in optimizer.averages if v is not None)
    yield from (v for v in optimizer.accumulators if v is not None)
    own = {s.name: s for s in optimizer.slots}
    parameters = optimizer.plan.parameters
    for p in parameters:
        yield from (v for k, v in p.slots.items() if not own[k].follows)
    for name in (s.name for s in optimizer.slots if s.follows):
        yield from (p.slots[name] for p in parameters if name in p.slots)
    for variables in optimizer.plan.shared.values():
        yield from variables.values()


def _own_shelf(optimizer: Any) -> Shelf:
    shelf: Shelf = {}
    for slot, _, path, variable in _slots(optimizer):
        shelf.setdefault(slot, {})[path] = variable
    return shelf


def _saved_shelf(saved: Mapping[str, np.ndarray]) -> Shelf:
    shelf: Shelf = {}
    for key in sorted(saved):
        kind, _, rest = key.partition("|")
        if kind == "slot":
            slot, _, path = rest.split("|", 2)
            shelf.setdefault(slot, {})[path.replace("|", "/")] = saved[key]
    return shelf


def _shared_keys(singles: dict[str, Variable]) -> Iterator[str]:
    return (k for k in singles if k.startswith("shared|"))


def _matched(theirs: list[str], own: list[str]) -> dict[str, str] | None:
    """Match saved paths with ours by name, else by order, else not at all."""
    if set(theirs) == set(own):
        return {path: path for path in own}
    if len(theirs) == len(own):
        return dict(zip(theirs, own, strict=True))
    return None


def _differences(what: str, theirs: list[str], own: list[str]) -> list[str]:
    return [
        f"only {where} has {what}: {', '.join(sorted(names))}"
        for where, names in (
            ("the file", set(theirs) - set(own)),
            ("this optimizer", set(own) - set(theirs)),
        )
        if names
    ]


def _mismatch(optimizer: Any, problems: list[str]) -> ValueError:
    listed = "\n  ".join(problems)
    return ValueError(
        f"The saved optimizer state does not fit this {type(optimizer).__name__} "
        f"({optimizer.name}):\n  {listed}\nConstruct the optimizer as it was saved; "
        "or, to load the weights of the model alone, load before `compile` or with "
        "`skip_mismatch=True`."
    )
