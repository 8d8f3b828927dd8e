"""The contract of a transform: tensors in, tensors out, with declared state."""

from __future__ import annotations

from typing import Any, ClassVar

from keras_optlab.core import Declared, Slot, Values
from keras_optlab.core.declaration_checks import check_slots
from keras_optlab.core.types import Tensor


class Transform(Declared):
    """A change to all gradients, or all updates, of a step.

    A subclass declares its arguments as an optimizer does, and implements `run`. Where
    one tensor at a time is enough, `TensorTransform` is the simpler base.

    Attributes:
        sides: Where it may stand: among the `"gradient"` or the `"update"` transforms.
        slots: State kept for each tensor.
        shared: State kept once: scalars, or of the shape that a slot's function gives.
        clips: Whether it makes tensors shorter on purpose, and is to be counted in the
            clipped fraction.
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
            xs: Gradients or updates. An update is what is added to the weight, so it
                usually points against the gradient.
            seen: For each tensor `w`, the weight, `g`, its gradient as the rule
                receives it (on the gradient side, as it is now), `t`, the number of
                this update, counted from 1, `count`, the same as an integer (float32
                cannot count beyond 2**24), `learning_rate`, the present rate of its
                group, and `decays`, whether `decay_mask` and
                `exclude_from_weight_decay` leave the weight in.
            s: For each tensor the declared slots.
            z: The declared shared state.
            h: The arguments, as scalar tensors.
        """
        raise NotImplementedError


class TensorTransform(Transform):
    """A change that sees one tensor at a time."""

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
