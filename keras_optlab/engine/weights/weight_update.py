"""The update of one weight: from its gradient to its new value and slots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_optlab.core import Values
from keras_optlab.core.numerics import soft_threshold
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.rounding import round_to_bfloat16
from keras_optlab.engine.backend.variables import Pairs, read
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.weights.master import MASTER, present_weight
from keras_optlab.engine.weights.parameter import Parameter, Scalars, Slots
from keras_optlab.engine.weights.quantized import Quantized
from keras_optlab.engine.weights.result_check import checked_update, unless_failed


class WeightUpdate:
    """The stages of an update that concern one weight alone.

    Args:
        optimizer: The optimizer, built.
        cast: The hyperparameters of the update, by the `scalars` of a weight.
        done: Number of updates before this one.
        t: Number of this one, counted from 1, by `key` of a weight.
        changes_if: By index of a weight: whether it and its slots change.
    """

    def __init__(
        self,
        optimizer: BuiltOptimizer,
        cast: dict[Scalars, Values],
        done: Tensor,
        t: dict[int, Tensor],
        changes_if: dict[int, Tensor],
    ) -> None:
        self.optimizer = optimizer
        self.cast = cast
        self.done = done
        self.t = t
        self.changes_if = changes_if

    def next_values(
        self, p: Parameter, variable: Variable, slots: Slots, g: Tensor
    ) -> Pairs:
        """Return the next values of a weight and of its slots.

        It reads only attributes of `p` that weights with the same compiled step share.
        """
        w = self.decayed(p, present_weight(p, variable, slots))
        u, s = self.rule(p, w, g, slots)
        new = self.stepped(p, w, u)
        s = self.after_step(p, new, s)
        return [(variable, ops.cast(new, variable.dtype)), *self.stored(slots, s)]

    def weight(self, p: Parameter) -> Tensor:
        """Return a weight in the dtype that the rule computes in."""
        return present_weight(p, p.variable, p.slots)

    def h(self, p: Parameter) -> Values:
        """Return the hyperparameters of a weight, in the dtype of its rule."""
        return self.cast[p.scalars]

    def decays(self, p: Parameter) -> bool:
        """Return whether the engine applies decoupled weight decay to a weight."""
        of_the_engine = p.regularized and not self.optimizer.decays_in_rule
        return of_the_engine and self.h(p).weight_decay is not None

    def decayed(self, p: Parameter, w: Tensor) -> Tensor:
        """Apply decoupled weight decay to a weight, before the step as in Keras."""
        if not self.decays(p):
            return w
        h = self.h(p)
        return w - w * (h.weight_decay * h.learning_rate)

    def rule(
        self, p: Parameter, w: Tensor, g: Tensor, slots: Slots
    ) -> tuple[Tensor, Values]:
        """Run the rule on one weight."""
        t, s = ops.cast(self.t[p.key], p.dtype), slot_values(slots, p.dtype)
        h, seen = self.rule_hyperparameters(p), p.matrices
        if seen is not None:
            w, g, s = seen.of(w), seen.of(g), self.whole_slots(s, seen.of)
        u, new = checked_update(self.optimizer, w, g, s, h, t)
        u, new = unless_failed(u, new, s) if self.optimizer.may_fail else (u, new)
        if seen is not None:
            u, new = seen.back(u), self.whole_slots(new, seen.back)
        return u, new

    def whole_slots(self, s: Values, change: Callable[[Tensor], Tensor]) -> Values:
        """Return the slots, with those of the weight's shape changed."""
        whole = self.optimizer.whole_slots
        return Values(**{k: change(x) if k in whole else x for k, x in s.items()})

    def rule_hyperparameters(self, p: Parameter) -> Values:
        """Return the hyperparameters for the rule, without weight decay if masked."""
        h = self.h(p)
        if p.regularized or not self.optimizer.decays_in_rule:
            return h
        decays = [name for name, _ in h.items() if name.endswith("weight_decay")]
        return h.extend(**dict.fromkeys(decays))

    def stepped(self, p: Parameter, w: Tensor, u: Tensor) -> Tensor:
        """Add the step to the weight, then apply the proximal step if it is set."""
        new = w + u
        if self.shrinks(p):
            h = self.h(p)
            new = soft_threshold(new, h.learning_rate * h.l1_proximal)
        if p.index in self.changes_if:
            return ops.where(self.changes_if[p.index], new, self.weight(p))
        return new

    def shrinks(self, p: Parameter) -> bool:
        """Return whether the proximal step applies to a weight."""
        return p.regularized and self.h(p).l1_proximal is not None

    def after_step(self, p: Parameter, new: Tensor, s: Values) -> Values:
        """Return the slots after the rule's `after_step`, with the float32 copy."""
        if self.optimizer.has_after_step:
            t = ops.cast(self.t[p.key], p.dtype)
            s = self.optimizer.after_step(new, s, self.h(p), t)
        return s.next(**{MASTER.name: new}) if MASTER.name in s else s

    def stored(self, slots: Slots, values: Values) -> Pairs:
        """Return the variables of slots with their values, rounded for `slot_dtype`."""
        constant = self.optimizer.constant_slots
        pairs = [(slots[k], x) for k, x in values.items() if k not in constant]
        if self.optimizer.slot_dtype is None:
            return pairs
        if self.optimizer.slot_dtype == "int8":
            return [pair for slot, x in pairs for pair in _in_8_bits(slot, x)]
        count, several = ops.cast(self.done + 1, "int32"), len(slots)
        return [
            (slot, _rounded(x, slot.dtype, count * several + i))
            for i, (slot, x) in enumerate(pairs)
        ]


def slot_values(variables: Slots, dtype: str) -> Values:
    """Return the slots of a weight in the dtype of its rule."""
    return Values(**{name: ops.cast(read(v), dtype) for name, v in variables.items()})


def _in_8_bits(slot: Variable, x: Tensor) -> Pairs:
    return slot.pairs(x) if isinstance(slot, Quantized) else [(slot, x)]


def _rounded(x: Tensor, dtype: Any, salt: Tensor) -> Tensor:
    short = keras.backend.standardize_dtype(dtype) == "bfloat16"
    return round_to_bfloat16(x, salt) if short else x
