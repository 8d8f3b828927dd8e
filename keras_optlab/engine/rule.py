"""`Rule`: the interface of an algorithm, pure functions of tensors."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from keras_optlab.core import Paper, Slot, Tuning, Values
from keras_optlab.core.axes import Matrices
from keras_optlab.core.slots import Weight
from keras_optlab.core.types import Tensor
from keras_optlab.engine.model.second_pass import Batch

# Class attributes that tell whether a rule implements a hook.
HOOKS = {
    "needs_sums": "use_sums",
    "has_after_step": "after_step",
    "needs_second_pass": "second_pass",
    "has_evaluation_weights": "to_evaluation",
    "averages_statistics": "average",
}


class Rule:
    """The part of an `Optimizer` that each algorithm declares and implements itself."""

    slots: ClassVar[tuple[Slot, ...]] = ()
    shared: ClassVar[tuple[Slot, ...]] = ()
    elementwise: ClassVar[bool] = True
    decays_in_rule: ClassVar[bool] = False
    sees_matrices: ClassVar[bool] = False
    may_fail: ClassVar[bool] = False
    learning_rate_free: ClassVar[bool] = False
    family: ClassVar[str] = "other"
    paper: ClassVar[Paper] = Paper("Unpublished", "Unknown", 0)
    keras_twin: ClassVar[str | None] = None
    tuning: ClassVar[Tuning | None] = None

    needs_sums: ClassVar[bool]
    has_after_step: ClassVar[bool]
    needs_second_pass: ClassVar[bool]
    has_evaluation_weights: ClassVar[bool]
    averages_statistics: ClassVar[bool]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for flag, hook in HOOKS.items():
            setattr(cls, flag, getattr(cls, hook) is not getattr(Rule, hook))

    def prepare(self, h: Values, t: Tensor, z: Values) -> tuple[Values, Values]:
        """Compute, once per update and group, the scalars that all weights share.

        Args:
            h: The hyperparameters, as scalar tensors or `BetaTensor`s, and `count`, the
                number of this update as an integer. Use `count` for actions every n
                updates, since float32 cannot count beyond 2**24.
            t: The number of this update, counted from 1, as a float.
            z: The `shared` state.

        Returns:
            `h` with values added for `update`, by `h.extend(...)`, and the next `z`.
        """
        del t
        return h, z

    def local_sums(
        self, w: Tensor, g: Tensor, s: Values, h: Values, t: Tensor
    ) -> Values:
        """Return one weight's terms of sums over all weights. Pure.

        A rule implements this and `use_sums` if its scalars depend on all weights, as
        norms and inner products do. Arguments are those of `update`.
        """
        del w, g, s, h, t
        return Values()

    def use_sums(
        self, h: Values, t: Tensor, z: Values, sums: Values
    ) -> tuple[Values, Values]:
        """Compute, after `prepare`, the scalars that depend on sums over all weights.

        Args:
            h: The hyperparameters, as `prepare` returned them.
            t: The number of this update, counted from 1.
            z: The `shared` state, as `prepare` returned it.
            sums: The values of `local_sums`, each summed over all weights.
        """
        del t, sums
        return h, z

    @functools.cached_property
    def whole_slots(self) -> set[str]:
        """The names of the slots that have the weight's shape."""
        return {slot.name for slot in self.slots if slot.shape == "weight"}

    @functools.cached_property
    def constant_slots(self) -> set[str]:
        """The names of the slots that steps do not write."""
        return {slot.name for slot in self.slots if slot.constant}

    def update(
        self, w: Tensor, g: Tensor, s: Values, h: Values, t: Tensor
    ) -> tuple[Tensor, Values]:
        """Return the step, which is added to the weight, and the next slots. Pure.

        Args:
            w: The weight, after decoupled weight decay.
            g: Its gradient, of the same shape and dtype.
            s: Its slots.
            h: The hyperparameters, as `prepare` returned them, in the dtype of `w`.
            t: The number of this update, counted from 1.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must implement `update(self, w, g, s, h, t)`."
        )

    def as_matrices(self, weight: Weight) -> Matrices | None:
        """Return the matrices as which `update` gets a weight; `None`: as it is.

        Only for a rule that `sees_matrices`. `update` then gets the weight, its
        gradient and its slots of the weight's shape as one matrix of inputs by outputs,
        or as several along a first axis.

        Args:
            weight: The weight, with its matrices as its layer uses them.
        """
        return weight.matrices

    def is_too_large(self, weight: Weight) -> bool:
        """Return whether a weight exceeds `max_size`, and gets a simpler update.

        `build` warns of such weights. A rule with `max_size` implements it.

        Args:
            weight: The weight, with its matrices as its layer uses them.
        """
        del weight
        return False

    def after_step(self, w: Tensor, s: Values, h: Values, t: Tensor) -> Values:
        """Return the next slots, given the updated weight. Pure.

        A rule implements it to store weights, such as their average.
        """
        raise NotImplementedError

    def average(self, a: Tensor, w: Tensor, h: Values, t: Tensor) -> Tensor:
        """Return the next average of a weight, given its new value. Pure.

        A rule whose evaluation weights are such averages implements it, and calls it in
        `after_step`. The engine also averages normalization statistics by it.
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
        """Return the gradients for `update`, and all slots, after a second pass. Pure.

        A rule that implements it can train only in a compiled model.

        Args:
            batch: Functions for derivatives of the current batch's loss.
            ws: All weights that have a gradient.
            gs: Their gradients.
            s: Their slots; `update` receives those that are returned.
            h: The hyperparameters, without those of groups.
            t: The number of this update, counted from 1.
        """
        raise NotImplementedError

    def to_evaluation(self, w: Tensor, s: Values, h: Values) -> tuple[Tensor, Values]:
        """Return the evaluation weight for a training weight, and the slots. Pure.

        A rule implements this and `to_training` if its evaluation weights differ from
        its training weights. A slot stores the set that the model does not have.
        """
        raise NotImplementedError

    def to_training(self, w: Tensor, s: Values, h: Values) -> tuple[Tensor, Values]:
        """Undo `to_evaluation`."""
        raise NotImplementedError

    @property
    def rests_without_gradient(self) -> bool:
        """Whether a gradient of 0 leaves an entry of the weight and slots unchanged.

        If so, rows that a sparse gradient does not touch are not computed.
        """
        return False

    @functools.cached_property
    def other_set(self) -> set[str]:
        """Names of the slots with the set of weights that the model does not hold."""
        owner = next(c for c in type(self).__mro__ if "to_evaluation" in vars(c))
        return {s.name for s in owner.slots if s.init == "weight"}  # type: ignore[attr-defined]
