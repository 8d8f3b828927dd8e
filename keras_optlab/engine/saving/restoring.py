"""Restoring a saved state into a built optimizer.

State that a file lacks is reset to its initial value, so the file of an optimizer that
had not started resets any other. Files that stock Keras optimizers wrote by position
can be loaded too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.variables import to_numpy
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.saving import entries
from keras_optlab.engine.saving.entries import COUNT, OWN, STATISTICS, Entry
from keras_optlab.engine.saving.matching import Misfits, matched

Found = dict[int, np.ndarray]  # from the position of an entry to its value
FORM = "at_evaluation_weights"


@dataclass
class Saved:
    """The arrays of a file.

    Attributes:
        arrays: By key.
        strict: Whether state that does not fit is an error.
        at_evaluation: Whether the model had its evaluation weights when it was saved.
        shelf: State per weight, by slot and path, in the order of the weights.
        replaced: Previous values of scalars that were restored already, if any were.
    """

    arrays: dict[str, np.ndarray]
    strict: bool
    at_evaluation: bool
    shelf: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    replaced: dict[str, np.ndarray] | None = None

    def __post_init__(self) -> None:
        self.positional = all(key.isdigit() for key in self.arrays)
        if FORM in self.arrays:
            self.at_evaluation = bool(self.arrays[FORM])
        order: dict[str, str] = {}
        for key in sorted(self.arrays):
            if key.startswith(("slot|", "kept|")):
                kind, name, index, path = key.split("|", 3)
                self.shelf.setdefault(f"{kind}|{name}", {})[path] = self.arrays[key]
                order[path] = index
        self.paths = sorted(order, key=lambda path: order[path])

    @property
    def fresh(self) -> bool:
        """Whether it is the state of an optimizer that had not been built."""
        steps = self.arrays.get("0" if self.positional else "iteration", 0)
        kept = len(self.arrays) > 2 if self.positional else bool(self.shelf)
        return not kept and int(steps) == 0


def restore(optimizer: BuiltOptimizer, saved: Saved) -> None:
    """Restore the state; reset everything that the file lacks.

    Raises:
        ValueError: if `saved.strict`, and the state does not fit.
    """
    misfits = Misfits(optimizer)
    kept = [*entries.slots(optimizer), *entries.shared(optimizer)]
    find = _by_order if saved.positional else _by_name
    found = {} if saved.fresh else find(optimizer, saved, kept, misfits)
    misfits.tell(saved.strict)
    if misfits.wholly:
        found = {}
        _undo_scalars(optimizer, saved)
    elif saved.replaced is None:
        read_scalars(optimizer, saved)
    for i, entry in enumerate(kept):
        if i in found:
            entry.variable.assign(found[i])
        else:
            entry.reset()


def section_counts(optimizer: BuiltOptimizer, saved: Saved) -> dict[str, np.ndarray]:
    """Return the own counts of weights in a file, by their paths here."""
    counts = saved.shelf.get(COUNT, {})
    names = names_here(optimizer, saved) if counts else {}
    return {names.get(path, path): x for path, x in counts.items()}


def read_scalars(optimizer: BuiltOptimizer, saved: Saved) -> None:
    """Restore counters, learning rate and hyperparameters."""
    own, arrays = entries.scalars(optimizer), saved.arrays
    if saved.positional:
        names = [k for k in ("iteration", "learning_rate") if k in own]
        arrays = {k: arrays[str(i)] for i, k in enumerate(names) if str(i) in arrays}
        steps = optimizer.gradient_accumulation_steps or 1
        arrays["updates"] = arrays["iteration"] // steps
    shapes = {k: tuple(v.shape) for k, v in own.items()}
    both = [k for k in own if k in arrays and arrays[k].shape == shapes[k]]
    saved.replaced = {k: to_numpy(own[k]) for k in both}
    for k in both:
        own[k].assign(arrays[k])


def _undo_scalars(optimizer: BuiltOptimizer, saved: Saved) -> None:
    """Undo scalars restored from another optimizer's state, or reset the counters."""
    own = entries.scalars(optimizer)
    for k, x in (saved.replaced or dict.fromkeys(entries.COUNTERS, 0)).items():
        own[k].assign(x)


# By slot and path.


def _by_name(
    optimizer: BuiltOptimizer, saved: Saved, kept: list[Entry], misfits: Misfits
) -> Found:
    theirs = _with_present_names(saved.shelf, {e.key for e in kept})
    rule = {e.key for e in kept if e.is_of_rule and not e.copies}
    if rule and rule.isdisjoint(theirs):
        misfits.refuse("all", _other_optimizer_message(rule, theirs))
        return {}
    own: dict[str, dict[str, int]] = {}
    for i, e in enumerate(kept):
        if e.path:
            own.setdefault(e.key, {})[e.path] = i
    names = names_here(optimizer, saved)
    found: Found = {}
    rest = _Differences()
    for key, places in own.items():
        arrays: dict[str, np.ndarray] = theirs.get(key, {})
        values = {names.get(p, p): x for p, x in arrays.items()}
        shapes = {p: tuple(kept[i].variable.shape) for p, i in places.items()}
        fit = {p: x for p, x in values.items() if shapes.get(p) == x.shape}
        found |= {places[p]: x for p, x in fit.items()}
        rest.note(key, values, shapes)
    rest.note_slots({k: theirs[k] for k in sorted(theirs.keys() - own.keys())})
    rest.tell(misfits)
    _find_shared(saved, kept, found, misfits)
    return found


def names_here(optimizer: BuiltOptimizer, saved: Saved) -> dict[str, str]:
    """Map the file's paths to paths here; unmatched ones get a path not used here."""
    own = [p.path.replace("/", "|") for p in optimizer.plan.parameters]
    models = list(optimizer.models)
    weights = [v.path.replace("/", "|") for m in models[:1] for v in m.weights]
    names = matched(saved.paths, own, weights if set(weights) >= set(own) else own)
    taken = set(own) - set(names.values())  # own paths of other weights in the file
    return {p: f"{p} (in the file)" for p in saved.paths if p in taken} | names


def _with_present_names(shelf: Any, own: set[str]) -> Any:
    """Convert the keys of older files.

    There the engine's own state had the prefix `slot`, unless a slot had the same name.
    """
    present = dict(shelf)
    for name in "average", "accumulator":
        old, new = f"slot|{name}", f"kept|{name}"
        if old in shelf and new not in shelf and old not in own and new in own:
            present[new] = present.pop(old)
    return present


def _other_optimizer_message(own: Iterable[str], theirs: Iterable[str]) -> str:
    there = ", ".join(sorted(map(_slot_name, theirs))) or "none"
    here = ", ".join(sorted(map(_slot_name, own)))
    return f"the state of another optimizer, with slots {there}, not {here}; ignored"


def _slot_name(key: str) -> str:
    return key.partition("|")[2]


class _Differences:
    """Slots that a file and an optimizer do not share, by weight."""

    def __init__(self) -> None:
        self.left: dict[str, list[str]] = {}
        self.missing: dict[str, list[str]] = {}
        self.others: list[tuple[str, str]] = []

    def note(self, key: str, theirs: Any, own: Any) -> None:
        """Note the weights that do not fit in one slot: arrays there, shapes here."""
        name = _slot_name(key)
        if not theirs and (key == "kept|accumulator" or key.startswith(OWN)):
            return  # reset after each update; or taken from all updates
        for path in theirs.keys() - own.keys():
            self.left.setdefault(path, []).append(name)
        for path, shape in own.items():
            if path not in theirs:
                self.missing.setdefault(path, []).append(name)
            elif theirs[path].shape != shape:
                there = theirs[path].shape
                reason = f"{name} has shape {there} in the file and {shape} here"
                self.others.append((path, f"{reason}; reinitialized"))

    def note_slots(self, slots: dict[str, Any]) -> None:
        """Note slots that this optimizer does not have."""
        for key, values in slots.items():
            for path in values:
                self.left.setdefault(path, []).append(_slot_name(key))

    def tell(self, misfits: Misfits) -> None:
        """Report everything, by weight."""
        for path, names in sorted(self.left.items()):
            misfits.add(path, f"{', '.join(names)} in the file, not here; ignored")
        for path, names in self.missing.items():
            misfits.add(path, f"{', '.join(names)} not in the file; reinitialized")
        for what, reason in self.others:
            misfits.add(what, reason)


def _find_shared(
    saved: Saved, kept: list[Entry], found: Found, misfits: Misfits
) -> None:
    own = {e.key: i for i, e in enumerate(kept) if not e.path}
    for key, i in own.items():
        value = saved.arrays.get(key)
        if value is not None and value.shape == tuple(kept[i].variable.shape):
            found[i] = value
        elif not key.startswith(("accumulated", STATISTICS)):
            misfits.add(key.removeprefix("shared|"), "not in the file; reinitialized")
    _find_statistics(own, found)
    for key in saved.arrays:
        if key.startswith("shared|") and key not in own:
            misfits.add(key.removeprefix("shared|"), "only in the file; ignored")


def _find_statistics(own: dict[str, int], found: Found) -> None:
    """Leave a set of normalization statistics out unless all of it was found.

    Files of earlier versions have none, and those of other layers have other sizes. The
    set is then out of date until the next update.
    """
    sets: dict[str, list[int]] = {}
    for key, i in own.items():
        if key.startswith(STATISTICS):
            sets.setdefault(key.rpartition("|")[0], []).append(i)
    for places in sets.values():
        if not all(i in found for i in places):
            for i in places:
                found.pop(i, None)


# By position, in the order in which the stock Keras optimizer creates its variables.


def _by_order(
    optimizer: BuiltOptimizer, saved: Saved, kept: list[Entry], misfits: Misfits
) -> Found:
    places = {id(e.variable): i for i, e in enumerate(kept)}
    variables = list(_keras_order(optimizer))
    start = sum(1 for v in variables if id(v) not in places)
    values = [saved.arrays[str(i)] for i in range(len(saved.arrays))][start:]
    shapes = [x.shape for x in values]
    order = [places[id(v)] for v in variables[start:]]
    without = [i for i in order if not kept[i].copies]  # without a wrapper's copies
    for indices in order, without:
        if shapes == [tuple(kept[i].variable.shape) for i in indices]:
            return dict(zip(indices, values, strict=True))
    expected = [tuple(kept[i].variable.shape) for i in order]
    misfits.refuse(
        f"{len(values)} unnamed values of shapes {shapes}",
        f"{len(expected)} of shapes {expected} are expected; ignored",
    )
    return {}


def _keras_order(optimizer: BuiltOptimizer) -> Iterator[Variable]:
    yield optimizer.micro_steps
    if hasattr(optimizer.base_learning_rate, "assign"):
        yield optimizer.base_learning_rate
    yield from (v for v in optimizer.averages if v is not None)
    yield from (v for v in optimizer.accumulators if v is not None)
    own = {s.name: s for s in optimizer.slots}
    parameters = optimizer.plan.parameters
    for p in parameters:
        yield from (v for k, v in p.slots.items() if not own[k].stored_last)
    for name in (s.name for s in optimizer.slots if s.stored_last):
        yield from (p.slots[name] for p in parameters if name in p.slots)
    for variables in optimizer.plan.shared.values():
        yield from variables.values()
