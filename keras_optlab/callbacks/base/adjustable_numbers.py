"""Numbers that a callback can drive: of an optimizer, transform or regularizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import keras

from keras_optlab.callbacks.base.optimizer_access import (
    OptimizerAccess,
    named_optimizers,
)
from keras_optlab.core import Declared
from keras_optlab.core.errors import shown, suggest
from keras_optlab.core.fields import Field
from keras_optlab.core.groups import leaves
from keras_optlab.core.retrace import retrace
from keras_optlab.engine import Optimizer, find_optimizer, make_adjustable


class AdjustableNumber(Protocol):
    """A number that a callback can drive during a `fit`.

    Attributes:
        label: Name in logs and messages.
        in_step: Whether a schedule can drive the number inside the compiled step.
    """

    label: str
    in_step: bool

    def get(self) -> float | None:
        """Return the current value; `None` if the number is off."""
        ...

    def set(self, value: float) -> None:
        """Write a new value, which the next step uses."""
        ...

    def begin(self, driver: Any) -> bool:
        """Prepare the number to be driven; return whether the step must be retraced.

        Args:
            driver: A schedule to evaluate inside the step, or a number that switches on
                a hyperparameter that is off. `None` if only `set` will be called.
        """
        ...

    def end(self) -> bool:
        """Undo `begin`; return whether the step must be retraced."""
        ...


def find_number(
    callback: OptimizerAccess, name: str, of: Declared | None
) -> AdjustableNumber:
    """Return the number with this name.

    Args:
        callback: The callback that drives the number.
        name: Name of the number.
        of: The transform or regularizer that owns it; `None` is the optimizer.

    Raises:
        AttributeError: if `of` has no such hyperparameter.
        ValueError: if `of` belongs neither to the optimizer nor to the model.
    """
    who = f"{type(callback).__name__}({name!r})"
    model, ours = callback.model, callback.our_optimizer
    if of is None:
        stock = ours is None and callback.optimizer is not None
        if stock and name == "learning_rate":
            return StockRate(callback.optimizer)
        return OptimizerNumber(callback.required_optimizer, name)
    if name not in of.fields:
        raise AttributeError(
            f"{of!r} has no such hyperparameter. Received: name={shown(name)}. "
            + suggest(name, of.fields)
        )
    if ours is not None and any(of is x for x in ours.transforms):
        return TransformNumber(ours, of, of.fields[name])
    if any(of is x for x in _regularizers(model)):
        return RegularizerNumber(model, of, name)
    raise ValueError(
        f"{who} needs `of` to be a transform of the optimizer or a regularizer of the "
        f"model. Received: of={shown(of)}. An optimizer copies its transforms: pass "
        "its copy, such as `optimizer.gradient_transforms[0]`. A model has "
        "regularizers only once it is built: start the model with an Input layer, for "
        "instance."
    )


class OptimizerNumber:
    """A hyperparameter of an optimizer of this package."""

    in_step = True

    def __init__(self, optimizer: Optimizer, name: str) -> None:
        self.optimizer, self.label = optimizer, name
        self._driven = False

    def get(self) -> float | None:
        """Return the current value."""
        return self.optimizer.current(self.label)

    def set(self, value: float) -> None:
        """Write a new value."""
        self.optimizer.adjust(self.label, value)

    def begin(self, driver: Any) -> bool:
        """Let a schedule drive the number, or switch it on."""
        if driver is not None:
            self.optimizer.drive(self.label, driver)
            self._driven = True
        return self._driven

    def end(self) -> bool:
        """Keep the last value, or switch the number off if it was off before."""
        driven, self._driven = self._driven, False
        if driven:
            self.optimizer.release(self.label, keep=True)
        return driven


class TransformNumber:
    """An argument of a transform that belongs to the optimizer."""

    in_step = True

    def __init__(self, optimizer: Optimizer, owner: Any, field: Field) -> None:
        self.optimizer, self.owner, self.field = optimizer, owner, field
        self.label = f"{type(owner).__name__}.{field.name}"
        self._driven = False

    def get(self) -> float | None:
        """Return the current value."""
        step = keras.ops.convert_to_numpy(self.optimizer.updates)
        moment = self.optimizer.moment(int(step))
        return self.owner.scalars.current(self.field, moment)

    def set(self, value: float) -> None:
        """Write a new value."""
        self.owner.scalars.write(self.field, value)

    def begin(self, driver: Any) -> bool:
        """Let a schedule drive the number, or switch it on."""
        if driver is not None:
            self.owner.scalars.drive(self.field, driver)
            self.optimizer.training_span.prepare()
            self._driven = True
        return self._driven

    def end(self) -> bool:
        """Keep the last value, or switch the number off if it was off before."""
        driven, self._driven = self._driven, False
        if driven:
            self.owner.scalars.release(self.field, self.get())
        return driven


class RegularizerNumber:
    """The strength of a regularizer, which every step reads from a variable."""

    in_step = False

    def __init__(self, model: keras.Model, owner: Declared, name: str) -> None:
        self.model, self.owner, self.name = model, owner, name
        self.label = f"{type(owner).__name__}.{name}"

    def get(self) -> float | None:
        """Return the current value."""
        return getattr(self.owner, self.name)

    def set(self, value: float) -> None:
        """Write a new value."""
        _ = self.model.optimizer
        setattr(self.owner, self.name, value)

    def begin(self, driver: Any) -> bool:  # noqa: ARG002
        """Make the number a variable of the model."""
        news = make_adjustable(self.model, self.owner)
        if news:
            retrace(self.model, "test")  # it computes the loss, too
        return news

    def end(self) -> bool:
        """Keep the last value."""
        return False


class StockRate:
    """The learning rate of a stock Keras optimizer."""

    label = "learning_rate"
    in_step = False

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        if not isinstance(getattr(optimizer, "learning_rate", None), keras.Variable):
            several = "optimizers" in dir(optimizer)
            raise AttributeError(
                "The optimizer follows a schedule, or has no single learning rate. "
                f"Received: {optimizer!r}. "
                + (
                    "Pass one of its `optimizers` by `optimizer=`."
                    if several
                    else "Construct it with a number as its learning rate."
                )
            )

    def get(self) -> float | None:
        """Return the current value."""
        return float(keras.ops.convert_to_numpy(self.optimizer.learning_rate))

    def set(self, value: float) -> None:
        """Write a new value."""
        self.optimizer.learning_rate = value

    def begin(self, driver: Any) -> bool:  # noqa: ARG002
        """Do nothing; the step needs no retrace."""
        return False

    def end(self) -> bool:
        """Keep the last value."""
        return False


class RateScale:
    """The factor on a keras_optlab optimizer's rate, which may follow a schedule."""

    label = "learning_rate_scale"

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def get(self) -> float:
        """Return the current value."""
        return self.optimizer.learning_rate_scale

    def set(self, value: float) -> None:
        """Write a new value."""
        self.optimizer.learning_rate_scale = value


def find_rates(optimizer: Any) -> dict[str, RateScale | StockRate]:
    """Return the rate of each optimizer, or the factor on it, by label.

    Raises:
        AttributeError: if one of them has no single rate that can be set.
    """
    rates: dict[str, RateScale | StockRate] = {}
    for name, part in named_optimizers(optimizer).items():
        ours = find_optimizer(part)
        rate = StockRate(part) if ours is None else RateScale(ours)
        rates[f"{name}.{rate.label}" if name else rate.label] = rate
    return rates


def required_rates(
    callback: OptimizerAccess, alternative: str = ""
) -> dict[str, RateScale | StockRate]:
    """Return the rates that a callback reduces, as `find_rates` does.

    Args:
        callback: The callback.
        alternative: What else to do, as the end of a sentence.

    Raises:
        TypeError: if there is no optimizer, or none with a rate that can be set.
    """
    optimizer, who = callback.optimizer, type(callback).__name__
    if optimizer is None:
        raise TypeError(
            f"{who} needs an optimizer whose rate to reduce. Received: a training "
            "without one. Pass the optimizer that trains by `optimizer=`."
        )
    try:
        return find_rates(optimizer)
    except AttributeError:
        raise TypeError(
            f"{who} cannot reduce the rate: the optimizer follows a schedule, or has "
            f"no single learning rate. Received: {optimizer!r}. Use the same optimizer "
            "from keras_optlab.optimizers, whose schedules can be scaled, or construct "
            f"it with a number as its learning rate{alternative}."
        ) from None


def _regularizers(model: keras.Model) -> Iterator[Any]:
    yield from (v.regularizer for v in model.variables)
    yield from (getattr(x, "activity_regularizer", None) for x in leaves(model))
