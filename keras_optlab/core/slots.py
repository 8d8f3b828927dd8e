"""`Slot`: a state variable of a rule or a transform, such as a first moment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from keras_optlab.core.axes import Matrices

Shape = tuple[int, ...]
SHAPES = "weight", "scalar"


@dataclass(frozen=True)
class Weight:
    """The weight for which the shape of a slot is computed.

    Args:
        shape: The weight's shape.
        path: Its path in the model.
        values: The optimizer's arguments.
        matrices: Its matrices, for a rule that `sees_matrices`; `None` for a weight
            that takes the step of vectors.
        dtype: Its dtype.
    """

    shape: Shape
    path: str
    values: Any
    matrices: Matrices | None = None
    dtype: str = "float32"

    @property
    def seen(self) -> Shape:
        """The shape in which the rule sees the weight."""
        return self.matrices.shape if self.matrices else self.shape


def rows(weight: Weight) -> Shape | None:
    """Return the shape of one number per row; `None` for vectors and scalars."""
    return weight.shape[:-1] if len(weight.shape) > 1 else None


def columns(weight: Weight) -> Shape | None:
    """Return the shape of one number per column; `None` for vectors and scalars."""
    shape = weight.shape
    return (*shape[:-2], shape[-1]) if len(shape) > 1 else None


def unfactored(weight: Weight) -> Shape | None:
    """Return the shape of a vector or scalar; `None` for matrices."""
    return weight.shape if len(weight.shape) < 2 else None


@dataclass(frozen=True)
class Slot:
    """A declared state variable of a rule or a transform.

    Args:
        name: Name of the slot; `update` reads it as `s.name`.
        init: Initial value: a number, the name of a hyperparameter with the number, or
            `"weight"` for a copy of the weight, or several in a slot with one more
            leading axis.
        shape: `"weight"` for the weight's own shape, `"scalar"` for one number, or a
            function from a `Weight` to the slot's shape, or to `None` if this weight
            has no such slot.
        when: Name of a hyperparameter that switches the slot on: the slot exists only
            if the value at construction is not 0, `None` or `False`. By default, the
            slot always exists.
        constant: Whether the slot keeps its initial value; steps do not write it.
        stored_last: Position in checkpoints of stock Keras, which store by position:
            `False` if the slots of each weight are stored side by side; `True` if this
            slot is stored after all of those, as one that Keras creates separately.
        non_negative: Whether no entry is ever negative, as in a mean of squares.
            `slot_dtype="int8"` then stores it with twice as many positive values, and
            no positive entry as 0. A rule that divides by the root of a slot needs it.
        short: For a slot whose shape is a function: whether `slot_dtype="bfloat16"`
            applies, as it does if the shape is `"weight"`. Moments stand rounding;
            factors of which roots or eigenvectors are computed do not.
    """

    name: str
    init: float | str = 0.0
    shape: Literal["weight", "scalar"] | Callable[[Weight], Shape | None] = "weight"
    when: str | None = None
    constant: bool = False
    stored_last: bool = False
    non_negative: bool = False
    short: bool = False

    def is_on(self, values: Any) -> bool:
        """Return whether the owner's arguments, as constructed, switch the slot on."""
        return self.when is None or bool(getattr(values, self.when))

    def shape_for(self, weight: Weight) -> Shape | None:
        """Return the slot's shape for a weight, or `None` if it has no such slot."""
        if not self.is_on(weight.values):
            return None
        if callable(self.shape):
            return self.shape(weight)
        return weight.shape if self.shape == "weight" else ()

    def start(self, values: Any) -> float:
        """Return the initial number; 0 if a copy of the weight replaces it later."""
        if self.init == "weight":
            return 0.0
        return getattr(values, self.init) if isinstance(self.init, str) else self.init
