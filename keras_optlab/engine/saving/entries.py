"""The state of an optimizer as entries, each with its key in a file.

The key of a slot is `slot|name|index|path`, with `|` for `/` since a slash would nest.
The engine's own state per weight (gradient sums, averages) has the prefix `kept`, since
a rule may have a slot of the same name. Shared state has a key without index and path.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_optlab.core import Slot
from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.variables import read
from keras_optlab.engine.contract import BuiltOptimizer

STATISTICS = "statistics|"  # start of the keys of normalization statistics
OWN = "kept|section"  # start of the keys of a section's count and shared state
COUNT = f"{OWN}.updates"


@dataclass
class Entry:
    """One variable of the state.

    Attributes:
        key: The key in a file; for state per weight, its first two parts.
        variable: The variable, or a view of a part of one.
        start: The number it starts from.
        weight: The weight it belongs to.
        copies: Whether it starts from a copy of the weight instead.
        index: The position of the weight.
        path: The path of the weight, with `|` for `/`.
    """

    key: str
    variable: Variable
    start: float = 0.0
    weight: Variable = None
    copies: bool = False
    index: int = 0
    path: str = ""

    @property
    def full_key(self) -> str:
        """The key in a file."""
        return f"{self.key}|{self.index:05d}|{self.path}" if self.path else self.key

    @property
    def is_of_rule(self) -> bool:
        """Whether it is a slot of the rule, not of a transform or the engine."""
        return self.key.startswith("slot|") and "." not in self.key

    def reset(self) -> None:
        """Reset the variable to its initial value."""
        if self.copies:
            value = ops.copy(read(self.weight))  # JAX' trainer donates the buffer
            value = ops.broadcast_to(value, tuple(self.variable.shape))
            self.variable.assign(ops.cast(value, self.variable.dtype))
        else:
            x = ops.ones(tuple(self.variable.shape), self.variable.dtype)
            self.variable.assign(x * ops.cast(self.start, self.variable.dtype))


def scalars(optimizer: BuiltOptimizer) -> dict[str, Variable]:
    """Return counters, the learning rate and hyperparameters: state before `build`."""
    found = {
        "iteration": optimizer.micro_steps,
        "updates": optimizer.updates,
        **{v.name: v for v in optimizer.skips.variables},
    }
    if hasattr(optimizer.base_learning_rate, "assign"):
        found["learning_rate"] = optimizer.base_learning_rate
    if optimizer.training_span.variable is not None:
        found["training_span"] = optimizer.training_span.variable
    if optimizer.decay_correction is not None:
        found |= optimizer.decay_correction.variables
    stores = {"": optimizer.scalars}
    stores |= {f"{i}.": x for i, x in enumerate(optimizer.transform_scalars)}
    for prefix, store in stores.items():
        for name, variable in store.variables.items():
            found[f"hyper|{prefix}{name}"] = variable
    return found


COUNTERS = (
    "iteration",
    "updates",
    "skipped_steps",
    "skipped_run",
    "updates_before_skipped_run",
)


def shared(optimizer: BuiltOptimizer) -> list[Entry]:
    """Return the state of a built optimizer that is not per weight."""
    plan, owners = optimizer.plan, list(enumerate(optimizer.transforms))
    places = [
        (f"group {g}", optimizer, found)
        for g, found in plan.shared.items()
        if g not in plan.sections
    ]
    places += [(str(i), owner, plan.transform_shared[i]) for i, owner in owners]
    entries = [
        Entry(f"shared|{where}|{slot.name}", found[slot.name], _start(owner, slot))
        for where, owner, found in places
        for slot in owner.shared
        if slot.name in found
    ]
    if optimizer.accumulates:
        entries += [Entry(k, v) for k, v in optimizer.window.variables.items()]
    for name, found in (
        ("evaluation", optimizer.evaluation_statistics),
        ("average", optimizer.ema_statistics),
    ):
        own = {} if found is None else found.own
        entries += [Entry(f"{STATISTICS}{name}|{k}", v) for k, v in own.items()]
    return entries


def slots(optimizer: BuiltOptimizer) -> Iterator[Entry]:
    """Yield the state per weight of a built optimizer."""
    for p in optimizer.plan.parameters:
        about = {"weight": p.variable, "index": p.index}
        about["path"] = p.path.replace("/", "|")
        for name, variables in (
            ("average", optimizer.averages),
            ("accumulator", optimizer.accumulators),
        ):
            if variables and variables[p.index] is not None:
                # initial values: the weight for an average, 0 for a sum
                yield Entry(
                    f"kept|{name}",
                    variables[p.index],
                    copies=name == "average",
                    **about,
                )
        yield from _of_section(optimizer, p, about)
        owned = [("", optimizer, p.slots)]
        owned += [
            (f"{i}.", optimizer.transforms[i], own)
            for i, own in enumerate(p.transform_slots)
        ]
        for prefix, owner, own in owned:
            for slot in (s for s in owner.slots if s.name in own):
                yield Entry(
                    f"slot|{prefix}{slot.name}",
                    own[slot.name],
                    _start(owner, slot),
                    copies=slot.init == "weight",
                    **about,
                )


def _of_section(
    optimizer: BuiltOptimizer, p: Any, about: dict[str, Any]
) -> Iterator[Entry]:
    """Yield the state of a weight's section, which is saved with each weight."""
    section = optimizer.plan.sections.get(p.key)
    if section is None:
        return
    yield Entry(COUNT, section.updates, **about)
    if optimizer.plan.owns(p.key):
        found = optimizer.plan.shared[p.key]
        for slot in (s for s in optimizer.shared if s.name in found):
            start = _start(optimizer, slot)
            yield Entry(f"{OWN}.{slot.name}", found[slot.name], start, **about)


def reset_weight_copies(
    optimizer: BuiltOptimizer,
    names: Collection[str] | None = None,
    indices: Collection[int] | None = None,
) -> None:
    """Reset slots that start as a copy of a weight to the weight's present value.

    Args:
        optimizer: The optimizer, built.
        names: Which of its rule's slots; `None` for all such slots.
        indices: Positions of weights; `None` for all.
    """
    for e in slots(optimizer):
        named = names is None or (e.is_of_rule and e.key.partition("|")[2] in names)
        if e.copies and named and (indices is None or e.index in indices):
            e.reset()


def _start(owner: Any, slot: Slot) -> float:
    return slot.start(owner._values)
