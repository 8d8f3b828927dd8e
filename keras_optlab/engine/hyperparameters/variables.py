"""Hyperparameters that may change while a compiled step runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.declared import Declared
from keras_optlab.core.fields import BetaField, Field
from keras_optlab.core.numerics import BetaTensor
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.core.values import Values
from keras_optlab.engine.backend.keras_adapter import concrete, is_purged
from keras_optlab.engine.backend.variables import to_numpy
from keras_optlab.engine.hyperparameters.ranges import as_scalar


def scalar_dtype() -> str:
    """Return the type in which scalars are kept: floatx, but never below float32."""
    return "float64" if keras.config.floatx() == "float64" else "float32"


class HyperparameterVariables:
    """The numbers of one optimizer or transform, each a variable of its own.

    A Python number would be a constant of the compiled step. A number that the
    declaration calls adjustable is therefore kept in a scalar variable, a decay factor
    as its exact complement; a schedule needs none; what is not adjustable, or was left
    at `None`, stays as it is. A callback may put something else in place of a value,
    and take it away again: `drive` and `release`.

    Args:
        owner: Whose declared fields these are.
        values: Its checked values.
        add_variable: Creates a scalar variable from a name and a number.
    """

    def __init__(
        self,
        owner: type[Declared],
        values: Values,
        add_variable: Callable[[str, float], Variable],
    ) -> None:
        self.fields = {k: f for k, f in owner.fields.items() if not f.keras_owned}
        self.add_variable = add_variable
        self.values = {k: getattr(values, k) for k in self.fields}
        self.released: dict[str, Any] = {}  # what a driven value returns to
        self.variables: dict[str, Variable] = {}
        for field in self.fields.values():
            if field.adjustable and isinstance(self.values[field.name], float | int):
                self._store(field, self.values[field.name])

    def read(self, field: Field) -> Any:
        """Return the present value: number, schedule, or whatever was declared.

        The variable is the truth, since a checkpoint may have moved it; the Python
        number is returned as long as it still agrees, so that 0.9 reads as 0.9.
        """
        value, variable = self.values[field.name], self._variable(field)
        stored = None if variable is None else concrete(variable)
        if stored is None or stored == np.asarray(_stored(field, value), stored.dtype):
            return value
        return 1.0 - float(stored) if isinstance(field, BetaField) else float(stored)

    def write(self, field: Field, value: Any) -> None:
        """Move a value; the next step uses it, compiled or not."""
        new, old = field.validate(value), self.values[field.name]
        variable = self._variable(field)
        received = f"Received: {field.name}={value!r}"
        if not field.adjustable:
            raise AttributeError(
                f"`{field.name}` ({field.doc}) is fixed at construction. {received}. "
                "Make a new object."
            )
        if isinstance(old, LearningRateSchedule):
            raise AttributeError(
                f"`{field.name}` is driven by {old!r}. {received}. "
                "Construct with a number to set it by hand."
            )
        if variable is None or not isinstance(new, float | int):
            raise AttributeError(
                f"`{field.name}` was {old!r} at construction, so the step was built "
                f"without it. {received}. Construct with a number, and move that."
            )
        if is_purged(variable):
            raise RuntimeError(
                "Between two batches JAX' trainer holds the optimizer's state. "
                f"{received}. Reach the optimizer through `callback.model.optimizer`."
            )
        self.values[field.name] = new
        self._store(field, new)

    def current(self, field: Field, step: Variable) -> Any:
        """Return the value at the 0-based update `step`, as a Python number."""
        value = self.read(field)
        if isinstance(value, LearningRateSchedule):
            return float(ops.convert_to_numpy(value(int(to_numpy(step)))))
        return value

    def drive(self, field: Field, value: Any) -> None:
        """Put a number or a schedule in place of a value; a step traced later sees it.

        Raises:
            AttributeError: if something drives the value already, or nothing may.
            ValueError: if the value is out of range.
        """
        old, received = self.values[field.name], f"Received: {field.name}={value!r}"
        if not field.adjustable:
            raise AttributeError(
                f"`{field.name}` ({field.doc}) is fixed at construction. {received}. "
                "Make a new object."
            )
        new = field.validate(value)
        if field.name in self.released or isinstance(old, LearningRateSchedule):
            raise AttributeError(
                f"`{field.name}` is driven by {old!r} already. {received}. "
                "Let only one schedule or callback drive it."
            )
        self.released[field.name] = self.read(field)
        self.values[field.name] = new
        if isinstance(new, float | int):
            self._store(field, new)

    def release(self, field: Field, last: float | None = None) -> None:
        """Undo `drive`; what was a number before becomes `last`, if that is given."""
        before = self.released.pop(field.name)
        if before is not None and last is not None:
            before = last
        self.values[field.name] = before
        variable = self._variable(field)
        if variable is not None and not is_purged(variable):
            variable.assign(_stored(field, before))

    def tensors(self, step: Tensor) -> Values:
        """Return every value as a rule reads it, at the 0-based update `step`."""
        return Values(**{k: self.tensor(f, step) for k, f in self.fields.items()})

    def tensor(self, field: Field, step: Tensor) -> Any:
        """Return one value: a scalar tensor, a `BetaTensor`, or a Python object."""
        variable = self._variable(field)
        if variable is not None:
            return _wrapped(field, ops.convert_to_tensor(variable))
        return as_tensor(field, self.values[field.name], step)

    def own(self, field: Field) -> Any:
        """Return the value that is not of a callback for the time of a `fit`."""
        if field.name in self.released:
            return self.released[field.name]
        return self.read(field)

    present = read

    def _variable(self, field: Field) -> Variable | None:
        """Return the variable that holds the value, if a number does it now."""
        number = isinstance(self.values[field.name], float | int)
        return self.variables.get(field.name) if number else None

    def _store(self, field: Field, number: float) -> None:
        if field.name in self.variables:
            self.variables[field.name].assign(_stored(field, number))
        else:
            variable = self.add_variable(field.name, _stored(field, number))
            self.variables[field.name] = variable


def as_tensor(field: Field, value: Any, step: Tensor) -> Any:
    """Return what a rule reads of a value that no variable holds."""
    if isinstance(value, LearningRateSchedule):
        given = as_scalar(field.name, value(step), value)
        value = ops.cast(given, scalar_dtype())
        return BetaTensor(1.0 - value) if isinstance(field, BetaField) else value
    if field.adjustable and value is not None:
        stored = ops.convert_to_tensor(_stored(field, value), scalar_dtype())
        return _wrapped(field, stored)
    return value


def _stored(field: Field, value: Any) -> Any:
    return 1.0 - value if isinstance(field, BetaField) else value


def _wrapped(field: Field, stored: Tensor) -> Any:
    return BetaTensor(stored) if isinstance(field, BetaField) else stored
