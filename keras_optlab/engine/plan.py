"""What the engine works out once, when the weights are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras

from keras_optlab.core import Slot
from keras_optlab.core.groups import assign_groups, path_of
from keras_optlab.engine.backends import eagerly
from keras_optlab.engine.seam import Seam, constant

Variable = Any
Slots = dict[str, Variable]


@dataclass
class Parameter:
    """One trainable weight and everything the engine keeps for it.

    Attributes:
        index: Position among the weights the optimizer was built with.
        variable: The weight.
        path: Its path, unique within the plan.
        dtype: Type the rule computes in, and that of its slots: float32 or wider.
        group: Position of its group, -1 for none.
        frozen: Whether the engine leaves it alone altogether.
        regularized: Whether decay and penalties apply to it.
        slots: The rule's state.
        transform_slots: The state of each transform, in the order of the transforms.
    """

    index: int
    variable: Variable
    path: str
    dtype: str
    group: int
    frozen: bool
    regularized: bool
    slots: Slots = field(default_factory=dict)
    transform_slots: list[Slots] = field(default_factory=list)


@dataclass
class Plan:
    """All parameters, and the state that is kept once.

    Attributes:
        parameters: One for each weight, in the order of `build`.
        shared: The rule's shared state, by group; -1 is everything in no group.
        transform_shared: The shared state of each transform.
    """

    parameters: list[Parameter]
    shared: dict[int, Slots]
    transform_shared: list[Slots]

    @property
    def live(self) -> list[Parameter]:
        """The parameters that are not frozen."""
        return [p for p in self.parameters if not p.frozen]


def make_plan(optimizer: Any, variables: list[Variable]) -> Plan:
    """Assign groups and create every slot."""
    placed = assign_groups(optimizer.groups, variables)
    paths = _unique([path_of(v) for v in variables])
    parameters = [
        _parameter(optimizer, i, variable, path, group)
        for i, (variable, path, group) in enumerate(
            zip(variables, paths, placed, strict=True)
        )
    ]
    transforms = optimizer.transforms
    for p in (p for p in parameters if not p.frozen):
        p.slots = _slots(optimizer, optimizer, optimizer.slots, p, prefix="")
        p.transform_slots = [
            _slots(optimizer, transform, transform.slots, p, prefix=f"{i}_")
            for i, transform in enumerate(transforms)
        ]
    return Plan(
        parameters=parameters,
        shared={
            g: _shared(
                optimizer, optimizer, optimizer.shared, f"group{g}" if g + 1 else ""
            )
            for g in sorted({p.group for p in parameters if not p.frozen})
        },
        transform_shared=[
            _shared(optimizer, transform, transform.shared, f"transform{i}")
            for i, transform in enumerate(transforms)
        ],
    )


def _parameter(
    optimizer: Any, index: int, variable: Variable, path: str, group: int
) -> Parameter:
    frozen = optimizer.is_overwritten(variable) or (
        group >= 0 and optimizer.groups[group].frozen
    )
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return Parameter(
        index=index,
        variable=variable,
        path=path,
        dtype="float32" if dtype in ("float16", "bfloat16") else dtype,
        group=group,
        frozen=frozen,
        regularized=optimizer.decays(variable) and _masked_in(optimizer, variable),
    )


def _masked_in(optimizer: Any, variable: Variable) -> bool:
    if optimizer.decay_mask == "matrices":
        return len(variable.shape) > 1
    return optimizer.decay_mask is None or bool(optimizer.decay_mask(variable))


def _slots(
    optimizer: Seam, owner: Any, slots: tuple[Slot, ...], p: Parameter, prefix: str
) -> Slots:
    def create(slot: Slot) -> Variable:
        shape = tuple(p.variable.shape) if slot.shape == "weight" else ()
        name = f"{p.path.replace('/', '_').replace(':', '_')}_{prefix}{slot.name}"
        variable = optimizer.add_slot(
            p.variable, name, shape, p.dtype, _initializer(owner, slot)
        )
        if slot.init == "weight":
            with eagerly():
                variable.assign(keras.ops.cast(p.variable, p.dtype))
        return variable

    return {s.name: create(s) for s in slots if is_on(owner, s)}


def _shared(optimizer: Seam, owner: Any, slots: tuple[Slot, ...], prefix: str) -> Slots:
    from keras_optlab.engine.scalars import scalar_dtype

    return {
        s.name: optimizer.add_variable(
            shape=(),
            initializer=_initializer(owner, s),
            dtype=scalar_dtype(),
            name=f"{prefix}_{s.name}".strip("_"),
        )
        for s in slots
    }


def is_on(owner: Any, slot: Slot) -> bool:
    """Whether the owner's arguments, as it was constructed, switch the slot on."""
    return slot.when is None or bool(getattr(owner._values, slot.when))


def _initializer(owner: Any, slot: Slot) -> Callable[..., Any]:
    if slot.init == "weight":
        return constant(0.0)
    if isinstance(slot.init, str):
        return constant(getattr(owner._values, slot.init))
    return constant(slot.init)


def _unique(paths: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for path in paths:
        seen[path] = seen.get(path, 0) + 1
        result.append(path if seen[path] == 1 else f"{path}#{seen[path]}")
    return result
