"""`Plan`: the weights of an optimizer with groups, slots and buckets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import keras

from keras_optlab.core import Slot
from keras_optlab.core.axes import from_path, given_axes
from keras_optlab.core.groups import assign_groups
from keras_optlab.core.paths import unique_paths
from keras_optlab.core.slots import Weight
from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.axis_lengths import axis_lengths
from keras_optlab.engine.backend.keras_adapter import as_keras_variable, constant
from keras_optlab.engine.backend.modules import eager_scope
from keras_optlab.engine.backend.variables import has_value, read
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.hyperparameters.checks import not_lazy
from keras_optlab.engine.update.buckets import Bucket, make_buckets
from keras_optlab.engine.update.elementwise import treats_entries_alone
from keras_optlab.engine.update.plan_warnings import warn_of_large_weights
from keras_optlab.engine.weights.layer_axes import find_matrices
from keras_optlab.engine.weights.parameter import Parameter, Scalars, Slots
from keras_optlab.engine.weights.quantized import (
    BLOCK,
    Quantized,
    in_8_bits,
    number_of_blocks,
)


@dataclass
class Section:
    """Weights of one group that count their own updates.

    Attributes:
        group: Position of the group, -1 for none.
        parameters: The weights.
        updates: Variable; the number of updates of these weights.
    """

    group: int
    parameters: list[Parameter]
    updates: Variable


@dataclass
class Plan:
    """The weights of an optimizer, with their state; made in `build`.

    Attributes:
        parameters: One for each weight, in the order of `build`.
        buckets: Sets of small weights that are updated together.
        elementwise: Whether the rule is elementwise.
        shared: The rule's shared state, by group, -1 for weights in no group, and by
            section.
        transform_shared: The shared state of each transform.
        waiting: Slots that start as a copy of a weight that has no value yet.
        sections: Weights that count their own updates, by `key` of a weight.
    """

    parameters: list[Parameter]
    buckets: list[Bucket]
    elementwise: bool
    shared: dict[int, Slots]
    transform_shared: list[Slots]
    waiting: list[tuple[Variable, Parameter]]
    sections: dict[int, Section] = field(default_factory=dict)

    @property
    def trainable(self) -> list[Parameter]:
        """The parameters that are not frozen."""
        return [p for p in self.parameters if not p.frozen]

    @cached_property
    def scalars(self) -> set[Scalars]:
        """The `scalars` of all parameters that are not frozen."""
        return {p.scalars for p in self.trainable}

    def owns(self, section: int) -> bool:
        """Return whether a section has shared state of its own, not the group's."""
        group = self.sections[section].group
        return self.shared[section] is not self.shared[group]

    def fill_slots(self) -> None:
        """Fill the slots that start as a copy of their weight, once it has a value.

        A weight that a `tf.function` creates has no value in the first trace. It has
        one in the second trace, which comes before the function runs.
        """
        if not self.waiting:
            return
        still = []
        with eager_scope():
            for slot, p in self.waiting:
                if all(has_value(one.variable) for one in p.members):
                    start = keras.ops.cast(read(p.variable), p.dtype)
                    start = keras.ops.broadcast_to(start, tuple(slot.shape))
                    slot.assign(keras.ops.copy(start))  # JAX donates buffers
                else:
                    still.append((slot, p))
        self.waiting = still


def make_plan(optimizer: BuiltOptimizer, variables: list[Variable]) -> Plan:
    """Assign groups, and create all buckets and slots."""
    placed = assign_groups(optimizer.groups, variables)
    paths = unique_paths(variables)
    parameters = [
        _parameter(optimizer, i, variable, path, group)
        for i, (variable, path, group) in enumerate(
            zip(variables, paths, placed, strict=True)
        )
    ]
    live = [p for p in parameters if not p.frozen]
    if optimizer.sees_matrices:
        give_matrices(optimizer, live)
    keep_plain_decay_of_heads(optimizer, live)
    elementwise = treats_entries_alone(optimizer)
    if optimizer.sparse == "lazy" and (optimizer.needs_second_pass or not elementwise):
        raise not_lazy(type(optimizer).__name__)
    buckets = make_buckets(optimizer, live) if elementwise else []
    give_slots(optimizer, live, buckets)
    plan = Plan(
        parameters=parameters,
        buckets=buckets,
        elementwise=elementwise,
        shared={
            g: shared_slots(
                optimizer, optimizer, optimizer.shared, f"group{g}" if g + 1 else ""
            )
            for g in sorted({p.group for p in live})
        },
        transform_shared=[
            shared_slots(optimizer, transform, transform.shared, f"transform{i}")
            for i, transform in enumerate(optimizer.transforms)
        ],
        waiting=[
            (p.slots[slot.name], p)
            for p in (*live, *buckets)
            for slot in optimizer.slots
            if slot.init == "weight" and p.owns(slot.name)
        ],
    )
    plan.fill_slots()
    return plan


def give_matrices(optimizer: BuiltOptimizer, parameters: list[Parameter]) -> None:
    """Let the rule choose the matrices as which it sees each weight."""
    of_layers = find_matrices(optimizer.models)
    large = []
    for p in parameters:
        shape, values = tuple(p.variable.shape), optimizer.values_of(p.group)
        known = id(p.variable) in of_layers
        found = of_layers[id(p.variable)] if known else from_path(p.path, shape)
        weight = Weight(
            shape, p.path, values, given_axes(values.axes, found, shape, p.path)
        )
        p.matrices = optimizer.as_matrices(weight)
        if optimizer.is_too_large(weight):
            large.append(f"{p.path!r} {shape}")
    if large:
        warn_of_large_weights(type(optimizer).__name__, large)


def keep_plain_decay_of_heads(
    optimizer: BuiltOptimizer, parameters: list[Parameter]
) -> None:
    """Correct no weight decay of the model's last layer, unless its group asks."""
    corrected = [p for p in parameters if p.corrected]
    of_layers = find_matrices(optimizer.models) if corrected else {}
    for p in corrected:
        found = of_layers.get(id(p.variable))
        asked = p.group >= 0 and optimizer.groups[p.group].hyperparameters
        if found and found.role == "head" and "decay_schedule" not in (asked or {}):
            p.corrected = False


def give_slots(
    optimizer: BuiltOptimizer, parameters: list[Parameter], buckets: list[Bucket]
) -> None:
    """Create the slots of buckets and of the weights that are in none."""
    for bucket in buckets:
        with eager_scope():  # a write through a view needs a slot with a value
            slots = _slots(optimizer, optimizer, optimizer.slots, bucket, prefix="")
            bucket.share_out(slots)
    bundled = {p.index for bucket in buckets for p in bucket.members}
    for p in (p for p in parameters if p.index not in bundled):
        p.slots = _slots(optimizer, optimizer, optimizer.slots, p, prefix="")
        p.transform_slots = [
            _slots(optimizer, transform, transform.slots, p, prefix=f"{i}_")
            for i, transform in enumerate(optimizer.transforms)
        ]


def _parameter(
    optimizer: BuiltOptimizer, index: int, variable: Variable, path: str, group: int
) -> Parameter:
    frozen = optimizer.is_overwritten(variable) or (
        group >= 0 and optimizer.groups[group].frozen
    )
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return Parameter(
        index=index,
        variable=as_keras_variable(variable),
        path=path,
        dtype="float32" if dtype in ("float16", "bfloat16") else dtype,
        group=group,
        frozen=frozen,
        regularized=optimizer.decays(variable) and _masked_in(optimizer, variable),
        corrected=_corrects_decay(optimizer, variable, group),
    )


def _corrects_decay(optimizer: BuiltOptimizer, variable: Variable, group: int) -> bool:
    """Return whether the weight decay of a weight is corrected: only of matrices."""
    asked = optimizer.values_of(group).decay_schedule == "corrected"
    return asked and len(variable.shape) > 1


def _masked_in(optimizer: BuiltOptimizer, variable: Variable) -> bool:
    if optimizer.decay_mask == "matrices":
        return len(variable.shape) > 1
    return optimizer.decay_mask is None or bool(optimizer.decay_mask(variable))


def _slots(
    optimizer: BuiltOptimizer,
    owner: Any,
    slots: tuple[Slot, ...],
    p: Parameter,
    prefix: str,
) -> Slots:
    def create(slot: Slot, shape: tuple[int, ...]) -> Variable:
        path = re.sub(r"[^A-Za-z0-9_.-]", "_", p.path)  # TensorFlow allows no others
        name = f"{path}_{prefix}{slot.name}"
        beside = p.members[0].variable
        short = _is_short(owner, slot)
        if short and owner.slot_dtype == "int8":
            if in_8_bits(p):
                return _quantized(optimizer, beside, name, shape, slot)
            short = False
        dtype = owner.slot_dtype if short else p.dtype
        return optimizer.add_slot(beside, name, shape, dtype, _initializer(owner, slot))

    values = optimizer.values_of(p.group) if owner is optimizer else owner._values
    dtype = keras.backend.standardize_dtype(p.variable.dtype)
    shape = axis_lengths(p.variable.shape)
    matrices = p.matrices and replace(p.matrices, whole=shape)
    weight = Weight(shape, p.path, values, matrices, dtype)
    shapes = {slot: slot.shape_for(weight) for slot in slots}
    return {
        s.name: create(s, shape) for s, shape in shapes.items() if shape is not None
    }


def _quantized(
    optimizer: BuiltOptimizer,
    weight: Variable,
    name: str,
    shape: tuple[int, ...],
    slot: Slot,
) -> Quantized:
    """Create a slot in 8 bits."""
    start, signed = slot.start(optimizer._values), not slot.non_negative
    zero = 127 if signed else 0
    blocks = number_of_blocks(shape)
    codes = optimizer.add_slot(
        weight,
        f"{name}_codes",
        (blocks, BLOCK),
        "uint8",
        constant(255 if start else zero),
    )
    scales = optimizer.add_slot(
        weight, f"{name}_scales", (blocks,), "float32", constant(start)
    )
    return Quantized(codes, scales, shape, signed)


def shared_slots(
    optimizer: BuiltOptimizer, owner: Any, slots: tuple[Slot, ...], prefix: str
) -> Slots:
    """Create the shared state of the optimizer or of a transform."""
    from keras_optlab.engine.hyperparameters.variables import scalar_dtype

    whole = Weight((), "", owner._values)  # not of one weight
    return {
        s.name: optimizer.add_variable(
            shape=s.shape_for(whole),
            initializer=_initializer(owner, s),
            dtype=scalar_dtype(),
            name=f"{prefix}_{s.name}".strip("_"),
        )
        for s in slots
    }


def _is_short(owner: Any, slot: Slot) -> bool:
    """Return whether `slot_dtype` applies: not to scalars or copies of weights."""
    moment = slot.short or (slot.shape == "weight" and slot.init != "weight")
    return moment and getattr(owner, "slot_dtype", None) is not None


def _initializer(owner: Any, slot: Slot) -> Callable[..., Any]:
    return constant(slot.start(owner._values))
