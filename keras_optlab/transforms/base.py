"""Bases of transforms: tensors in, tensors out, with declared state."""

from __future__ import annotations

from typing import Any, ClassVar

from keras_optlab.core import Declared, Slot, Values
from keras_optlab.core.declaration_checks import check_slots
from keras_optlab.core.types import Tensor


class Transform(Declared):
    """A function of all gradients, or all updates, of a step.

    A subclass declares its arguments as an optimizer does, and implements `run`. For a
    transform of one tensor at a time, `TensorTransform` is the simpler base.

    Attributes:
        sides: What it may transform: the `"gradient"`, the `"update"`, or both.
        slots: State kept for each tensor.
        shared: State kept once: scalars, or of the shape a slot's function returns.
        clips: Whether it clips, and counts in the clipped fraction.
    """

    sides: ClassVar[tuple[str, ...]] = ("gradient", "update")
    slots: ClassVar[tuple[Slot, ...]] = ()
    shared: ClassVar[tuple[Slot, ...]] = ()
    clips: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_slots(cls, cls.fields)
        if cls.run is Transform.run:
            raise TypeError(
                f"{cls.__name__} must implement `run(self, xs, seen, s, z, h)`; or "
                "derive it from TensorTransform, and implement `one(self, x, seen, s, "
                "h)`."
            )

    def run(
        self,
        xs: list[Tensor],
        seen: list[Values],
        s: list[Values],
        z: Values,
        h: Values,
    ) -> tuple[list[Tensor], list[Values], Values]:
        """Return the changed tensors and the next state.

        Args:
            xs: Gradients or updates. An update is added to the weight, so it usually
                points against the gradient.
            seen: For each tensor: `w`, the weight; `g`, the gradient that the rule
                receives (for a gradient transform, the gradient so far); `t`, the
                number of this update, from 1; `count`, the same as an integer (float32
                cannot count beyond 2**24); `learning_rate`, the present rate of its
                group; `decays`, whether `decay_mask` and `exclude_from_weight_decay`
                allow weight decay; and `decay_factor`, by which `decay_schedule`
                multiplies weight decay.
            s: The declared slots of each tensor.
            z: The declared shared state.
            h: The arguments, as scalar tensors.
        """
        raise NotImplementedError


class TensorTransform(Transform):
    """A transform of one tensor at a time."""

    def run(
        self,
        xs: list[Tensor],
        seen: list[Values],
        s: list[Values],
        z: Values,
        h: Values,
    ) -> tuple[list[Tensor], list[Values], Values]:
        """Apply `one` to each tensor."""
        rows = zip(xs, seen, s, strict=True)
        pairs = [self.one(x, w_g, slots, h.cast(x.dtype)) for x, w_g, slots in rows]
        return [x for x, _ in pairs], [slots for _, slots in pairs], z

    def one(
        self, x: Tensor, seen: Values, s: Values, h: Values
    ) -> tuple[Tensor, Values]:
        """Return the changed tensor and its next slots."""
        raise NotImplementedError
