"""`Rule`: what an algorithm declares and implements; pure functions of tensors."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from keras_optlab.core import Paper, Slot, Values
from keras_optlab.core.types import Tensor
from keras_optlab.engine.model.second_pass import Batch

# Class attributes that tell whether a rule implements a hook.
HOOKS = {
    "needs_sums": "use_sums",
    "has_after_step": "after_step",
    "needs_second_pass": "second_pass",
    "has_evaluation_weights": "to_evaluation",
}


class Rule:
    """The part of an `Optimizer` that its algorithm determines."""

    slots: ClassVar[tuple[Slot, ...]] = ()
    shared: ClassVar[tuple[Slot, ...]] = ()
    elementwise: ClassVar[bool] = True
    decays_in_rule: ClassVar[bool] = False
    may_fail: ClassVar[bool] = False
    learning_rate_free: ClassVar[bool] = False
    family: ClassVar[str] = "other"
    paper: ClassVar[Paper] = Paper("Unpublished", "Unknown", 0)
    keras_twin: ClassVar[str | None] = None

    needs_sums: ClassVar[bool]
    has_after_step: ClassVar[bool]
    needs_second_pass: ClassVar[bool]
    has_evaluation_weights: ClassVar[bool]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for flag, hook in HOOKS.items():
            setattr(cls, flag, getattr(cls, hook) is not getattr(Rule, hook))

    def prepare(self, h: Values, t: Tensor, z: Values) -> tuple[Values, Values]:
        """Derive, once a step, the scalars that all tensors share.

        Args:
            h: The hyperparameters, as scalar tensors or `BetaTensor`s; and `count`, the
                number of this update as an integer, for what happens every so many
                updates: as a float it would not be exact beyond 2**24.
            t: The number of this update, counted from 1, as a float.
            z: The `shared` state.

        Returns:
            `h`, extended by what `update` wants to read from it, and the next `z`.
        """
        del t
        return h, z

    def local_sums(
        self, w: Tensor, g: Tensor, s: Values, h: Values, t: Tensor
    ) -> Values:
        """Return what of one weight counts in sums over all weights. Pure.

        A rule implements this together with `use_sums`, if its scalars follow from all
        weights: distances, inner products. Arguments are those of `update`.
        """
        del w, g, s, h, t
        return Values()

    def use_sums(
        self, h: Values, t: Tensor, z: Values, sums: Values
    ) -> tuple[Values, Values]:
        """Derive, as `prepare` does, the scalars that need `sums` of what was measured.

        Args:
            h: The hyperparameters, as `prepare` returned them.
            t: The number of this update, counted from 1.
            z: The `shared` state, as `prepare` returned it.
            sums: What `local_sums` returned, each added up over all weights.
        """
        del t, sums
        return h, z

    @functools.cached_property
    def constant_slots(self) -> set[str]:
        """The names of slots that no step writes."""
        return {slot.name for slot in self.slots if slot.constant}

    def update(
        self, w: Tensor, g: Tensor, s: Values, h: Values, t: Tensor
    ) -> tuple[Tensor, Values]:
        """Return what to add to one weight, and its next slots. Pure.

        Args:
            w: The weight, after decoupled decay.
            g: Its gradient, of the same shape and type.
            s: Its slots.
            h: The hyperparameters, as `prepare` returned them, in the type of `w`.
            t: The number of this update, counted from 1.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must implement `update(self, w, g, s, h, t)`."
        )

    def is_too_large(self, shape: tuple[int, ...], values: Values) -> bool:
        """Return whether a weight gets less than the rule gives to smaller ones.

        Users are told once. A rule with matrices of a limited size implements it.

        Args:
            shape: The weight's shape.
            values: The arguments that it has.
        """
        del shape, values
        return False

    def after_step(self, w: Tensor, s: Values, h: Values, t: Tensor) -> Values:
        """Return the slots, given what the weight has become in the end. Pure.

        A rule implements it to remember weights, such as their average.
        """
        raise NotImplementedError

    def second_pass(
        self,
        batch: Batch,
        ws: list[Tensor],
        gs: list[Tensor],
        s: list[Values],
        h: Values,
        t: Tensor,
    ) -> tuple[list[Tensor], list[Values]]:
        """Return the gradients to step by, and all slots, after another look. Pure.

        A rule that implements it trains in a compiled model only.

        Args:
            batch: What may be asked about the loss of the present batch.
            ws: All weights that have a gradient.
            gs: Their gradients.
            s: Their slots; `update` sees those that are returned.
            h: The hyperparameters that are not of a group.
            t: The number of this update, counted from 1.
        """
        raise NotImplementedError

    def to_evaluation(self, w: Tensor, s: Values, h: Values) -> tuple[Tensor, Values]:
        """Return the weight to evaluate, and its slots while it takes the place. Pure.

        A rule implements this together with `to_training`, if it trains at one point
        and is meant to be used at another.
        """
        raise NotImplementedError

    def to_training(self, w: Tensor, s: Values, h: Values) -> tuple[Tensor, Values]:
        """Undo `to_evaluation`."""
        raise NotImplementedError

    @property
    def rests_without_gradient(self) -> bool:
        """Whether an entry whose gradient is 0 keeps its weight and state.

        A rule that says so is spared the rows that a sparse gradient does not touch.
        """
        return False

    @functools.cached_property
    def other_set(self) -> set[str]:
        """The names of slots that hold the weights which the model does not have."""
        owner = next(c for c in type(self).__mro__ if "to_evaluation" in vars(c))
        return {s.name for s in owner.slots if s.init == "weight"}  # type: ignore[attr-defined]
