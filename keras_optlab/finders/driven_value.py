"""The hyperparameter that a search sets before each update."""

from __future__ import annotations

import inspect
from typing import Any, Protocol

import keras

from keras_optlab.core.errors import advise_name, shown
from keras_optlab.core.number_checks import Interval
from keras_optlab.engine import Optimizer, find_optimizer
from keras_optlab.engine.backend.keras_adapter import (
    constant,
    inner_optimizer,
    rate_source,
    remove_variable,
)

RATE = "learning_rate"
DECADES = 4  # of the default span, on either side of the class' default rate


class DrivenValue(Protocol):
    """A hyperparameter that can be set without a retrace between `begin` and `end`."""

    legal: Interval

    def begin(self, first: float) -> None:
        """Prepare the optimizer."""
        ...

    def set(self, value: float) -> None:
        """Set the value of the next update."""
        ...

    def end(self) -> None:
        """Undo `begin`; the value of a variable is put back by the caller."""
        ...


def find_value(model: Any, name: str) -> DrivenValue:
    """Return the hyperparameter of the model's optimizer with this name.

    Raises:
        AttributeError: if the optimizer has no such number.
        TypeError: if only an optimizer of this package could change it.
        ValueError: if the optimizer is several, or the number follows a schedule.
    """
    optimizer = inner_optimizer(model.optimizer)
    if hasattr(optimizer, "optimizers"):
        raise ValueError(
            "The search sets one optimizer's value. Received: an optimizer of several, "
            f"{shown(optimizer)}. Compile a copy of the model with one of them."
        )
    ours = find_optimizer(optimizer)
    if name == RATE:
        return Rate(optimizer)
    if ours is None:
        raise TypeError(
            f"A search for `{name}` needs an optimizer of keras_optlab, which can "
            f"change it in training. Received: name={shown(name)} with "
            f"{shown(optimizer)}. "
            "Of other optimizers, only 'learning_rate' can be searched."
        )
    return Hyperparameter(ours, name)


class Rate:
    """The learning rate of any Keras optimizer.

    A schedule is replaced by a variable until `end`.
    """

    legal = Interval(">= 0")

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.source = rate_source(optimizer)
        self._variable: Any = None

    def begin(self, first: float) -> None:
        """Have a variable as the rate."""
        if isinstance(self.source, keras.Variable):
            return
        self._variable = variable = self.optimizer.add_variable(
            shape=(), initializer=constant(first), dtype="float32", name="searched_rate"
        )
        self.optimizer.learning_rate = lambda: variable

    def set(self, value: float) -> None:
        """Set the rate of the next update."""
        variable = self.source if self._variable is None else self._variable
        variable.assign(value)

    def end(self) -> None:
        """Have the schedule again."""
        if self._variable is not None:
            # past the checks of this package: the schedule was accepted before
            keras.optimizers.Optimizer.learning_rate.fset(self.optimizer, self.source)
            remove_variable(self.optimizer, self._variable)


class Hyperparameter:
    """Another number of an optimizer of this package."""

    def __init__(self, optimizer: Optimizer, name: str) -> None:
        numbers = {k: f for k, f in optimizer.fields.items() if f.adjustable}
        if name not in numbers:
            raise AttributeError(
                f"{type(optimizer).__name__} has no number `{name}` that can change "
                f"in training. Received: name={shown(name)}. "
                f"{advise_name(name, numbers)}"
            )
        self.optimizer, self.name = optimizer, name
        field: Any = numbers[name]
        self.legal = field.interval
        self.before = getattr(optimizer, name)
        if callable(self.before):
            raise ValueError(
                f"`{name}` follows a schedule. Received: {name}={self.before!r}. "
                "Construct the optimizer with a number to search for one."
            )

    def begin(self, first: float) -> None:
        """Switch the hyperparameter on if it is off."""
        self._known = {id(v) for v in self.optimizer.variables}
        if self.before is None:
            self.optimizer.drive(self.name, first)

    def set(self, value: float) -> None:
        """Set the value of the next update."""
        self.optimizer.adjust(self.name, value)

    def end(self) -> None:
        """Switch the hyperparameter off again if it was off."""
        if self.before is not None:
            self.optimizer.adjust(self.name, self.before)
            return
        self.optimizer.release(self.name)
        variable = self.optimizer.scalars.variables.pop(self.name, None)
        if variable is not None and id(variable) not in self._known:
            remove_variable(self.optimizer, variable)


def default_span(model: Any) -> tuple[float, float]:
    """Return the lowest and highest rate to try: around the default of the class."""
    cls = type(inner_optimizer(model.optimizer))
    default = inspect.signature(cls).parameters[RATE].default
    return default / 10**DECADES, default * 10**DECADES
