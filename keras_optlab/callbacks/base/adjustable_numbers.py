"""What a callback can drive: numbers of an optimizer, a transform or a regularizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import keras

from keras_optlab.callbacks.base.optimizer_access import OptimizerAccess, parts_of
from keras_optlab.core import Declared
from keras_optlab.core.errors import suggest
from keras_optlab.core.fields import Field
from keras_optlab.core.groups import leaves
from keras_optlab.engine import Optimizer, find_optimizer, make_adjustable


class AdjustableNumber(Protocol):
    """A number that can be driven for the time of a `fit`.

    Attributes:
        label: How logs and messages call it.
        in_step: Whether a schedule can drive it inside the compiled step.
    """

    label: str
    in_step: bool

    def get(self) -> float | None:
        """Return the present value, `None` if it is off."""
        ...

    def set(self, value: float) -> None:
        """Move it; the next step uses it."""
        ...

    def begin(self, driver: Any) -> bool:
        """Get ready to be driven; return whether the step must be traced anew.

        Args:
            driver: A schedule that drives it inside the step, a number to switch it on
                with, or `None` if `set` is all that follows.
        """
        ...

    def end(self) -> bool:
        """Undo `begin`; return whether the step must be traced anew."""
        ...


def find_number(
    callback: OptimizerAccess, name: str, of: Declared | None
) -> AdjustableNumber:
    """Return the number of this name, or raise what there is instead.

    Args:
        callback: Who drives it in its model, or in the optimizer that it was given.
        name: Name of the number.
        of: A transform or a regularizer; `None` is the optimizer.
    """
    who = f"{type(callback).__name__}({name!r})"
    model, ours = callback.model, callback.our_optimizer
    if of is None:
        stock = ours is None and callback.optimizer is not None
        if stock and name == "learning_rate":
            return StockRate(callback.optimizer)
        return OfOptimizer(callback.required_optimizer, name)
    if name not in of.fields:
        raise AttributeError(
            f"{of!r} has no such hyperparameter. Received: {name!r}. "
            + suggest(name, of.fields)
        )
    if ours is not None and any(of is x for x in ours.transforms):
        return OfTransform(ours, of, of.fields[name])
    if any(of is x for x in _regularizers(model)):
        return OfRegularizer(model, of, name)
    raise ValueError(
        f"{who} found its owner neither among the transforms of the optimizer nor "
        f"among the regularizers of the model. Received: of={of!r}. An optimizer "
        "copies its transforms: pass `optimizer.gradient_transforms[0]` and the like. "
        "A model has its regularizers once it is built, by an Input layer for instance."
    )


class OfOptimizer:
    """A hyperparameter of an optimizer of this package."""

    in_step = True

    def __init__(self, optimizer: Optimizer, name: str) -> None:
        self.optimizer, self.label = optimizer, name
        self._driven = False

    def get(self) -> float | None:
        """Return the present value."""
        return self.optimizer.current(self.label)

    def set(self, value: float) -> None:
        """Move it."""
        self.optimizer.adjust(self.label, value)

    def begin(self, driver: Any) -> bool:
        """Drive it, or switch it on."""
        if driver is not None:
            self.optimizer.drive(self.label, driver)
            self._driven = True
        return self._driven

    def end(self) -> bool:
        """Leave it at its last value, or off."""
        driven, self._driven = self._driven, False
        if driven:
            self.optimizer.release(self.label, keep=True)
        return driven


class OfTransform:
    """An argument of a transform that belongs to the optimizer."""

    in_step = True

    def __init__(self, optimizer: Optimizer, owner: Any, field: Field) -> None:
        self.optimizer, self.owner, self.field = optimizer, owner, field
        self.label = f"{type(owner).__name__}.{field.name}"
        self._driven = False

    def get(self) -> float | None:
        """Return the present value."""
        return self.owner.scalars.current(self.field, self.optimizer.updates)

    def set(self, value: float) -> None:
        """Move it."""
        self.owner.scalars.write(self.field, value)

    def begin(self, driver: Any) -> bool:
        """Drive it, or switch it on."""
        if driver is not None:
            self.owner.scalars.drive(self.field, driver)
            self._driven = True
        return self._driven

    def end(self) -> bool:
        """Leave it at its last value, or off."""
        driven, self._driven = self._driven, False
        if driven:
            self.owner.scalars.release(self.field, self.get())
        return driven


class OfRegularizer:
    """The strength of a regularizer, which every step reads from a variable."""

    in_step = False

    def __init__(self, model: keras.Model, owner: Declared, name: str) -> None:
        self.model, self.owner, self.name = model, owner, name
        self.label = f"{type(owner).__name__}.{name}"

    def get(self) -> float | None:
        """Return the present value."""
        return getattr(self.owner, self.name)

    def set(self, value: float) -> None:
        """Move it."""
        _ = self.model.optimizer  # on JAX, takes the variables back from the trainer
        setattr(self.owner, self.name, value)

    def begin(self, driver: Any) -> bool:  # noqa: ARG002
        """Make the number a variable of the model."""
        news = make_adjustable(self.model, self.owner)
        if news:
            self.model.test_function = None  # evaluates the loss, too
        return news

    def end(self) -> bool:
        """Leave it at its last value."""
        return False


class StockRate:
    """The learning rate of an optimizer of Keras."""

    label = "learning_rate"
    in_step = False

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        if not isinstance(getattr(optimizer, "learning_rate", None), keras.Variable):
            several = "optimizers" in dir(optimizer)
            raise AttributeError(
                "The optimizer follows a schedule, or has no one learning rate. "
                f"Received: {optimizer!r}. "
                + (
                    "Pass one of its `optimizers` by `optimizer=`."
                    if several
                    else "Construct it with a number."
                )
            )

    def get(self) -> float | None:
        """Return the present value."""
        return float(keras.ops.convert_to_numpy(self.optimizer.learning_rate))

    def set(self, value: float) -> None:
        """Move it."""
        self.optimizer.learning_rate = value

    def begin(self, driver: Any) -> bool:  # noqa: ARG002
        """Leave it as it is."""
        return False

    def end(self) -> bool:
        """Leave it at its last value."""
        return False


class RateScale:
    """The factor on the rate of an optimizer of ours, which may follow a schedule."""

    label = "learning_rate_scale"

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def get(self) -> float:
        """Return the present value."""
        return self.optimizer.learning_rate_scale

    def set(self, value: float) -> None:
        """Move it."""
        self.optimizer.learning_rate_scale = value


def find_rates(optimizer: Any) -> dict[str, RateScale | StockRate]:
    """Return what scales the rate, by label: of each optimizer that one holds.

    Raises:
        AttributeError: if one of them has no one rate that can be set.
    """
    rates: dict[str, RateScale | StockRate] = {}
    for name, part in parts_of(optimizer).items():
        ours = find_optimizer(part)
        rate = StockRate(part) if ours is None else RateScale(ours)
        rates[f"{name}.{rate.label}" if name else rate.label] = rate
    return rates


def _regularizers(model: keras.Model) -> Iterator[Any]:
    yield from (v.regularizer for v in model.variables)
    yield from (getattr(x, "activity_regularizer", None) for x in leaves(model))
