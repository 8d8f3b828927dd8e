"""Hyperparameters in variables, so that they can change without a retrace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.declared import Declared
from keras_optlab.core.fields import BetaField, Field
from keras_optlab.core.numerics import BetaTensor, scalar_dtype
from keras_optlab.core.spans import Moment
from keras_optlab.core.types import Tensor, Variable
from keras_optlab.core.values import Values
from keras_optlab.engine.backend.keras_adapter import concrete, is_purged
from keras_optlab.engine.backend.variables import read
from keras_optlab.engine.hyperparameters.ranges import as_scalar


class HyperparameterVariables:
    """Store of the hyperparameters of one optimizer, transform or regularizer.

    A Python number would be a constant of the compiled step. Each adjustable number is
    therefore stored in a scalar variable; for a beta, the variable holds 1 - beta.
    Schedules, `None` and values that are not adjustable need no variable. A callback
    can replace a value for a while, by `drive` and `release`.

    Args:
        owner: The class that declares the hyperparameters.
        values: The validated values.
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
        self.released: dict[str, Any] = {}  # by name: the value before `drive`
        self.variables: dict[str, Variable] = {}
        for field in self.fields.values():
            if field.adjustable and isinstance(self.values[field.name], float | int):
                self._store(field, self.values[field.name])

    def read(self, field: Field) -> Any:
        """Return the current value: a number, a schedule or another object.

        The variable has the current number, since loading a checkpoint changes only the
        variable. If both agree, the Python number is returned: 0.9 reads as 0.9, not as
        its float32 value.
        """
        value, variable = self.values[field.name], self._variable(field)
        stored = None if variable is None else concrete(variable)
        if stored is None or stored == np.asarray(_stored(field, value), stored.dtype):
            return value
        return 1.0 - float(stored) if isinstance(field, BetaField) else float(stored)

    def write(self, field: Field, value: Any) -> None:
        """Change a value; the next step uses it without a retrace."""
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
                f"without it. {received}. Construct with a number, and change that."
            )
        if is_purged(variable):
            raise RuntimeError(
                "JAX' trainer holds the optimizer's state between two batches. "
                f"{received}. Access the optimizer as `callback.model.optimizer`."
            )
        self.values[field.name] = new
        self._store(field, new)

    def current(self, field: Field, moment: Moment) -> Any:
        """Return the value at a moment with an integer step, as a Python number."""
        value = self.read(field)
        if isinstance(value, LearningRateSchedule):
            return float(ops.convert_to_numpy(moment.value(value)))
        return value

    def drive(self, field: Field, value: Any) -> None:
        """Replace a value by a number or a schedule; the step must be retraced.

        Raises:
            AttributeError: if the value is driven already, or is not adjustable.
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
        """Undo `drive`; a value that was a number becomes `last`, if given."""
        before = self.released.pop(field.name)
        if before is not None and last is not None:
            before = last
        self.values[field.name] = before
        variable = self._variable(field)
        if variable is not None and not is_purged(variable):
            variable.assign(_stored(field, before))

    def tensors(self, moment: Moment) -> Values:
        """Return all values as a rule reads them, at a moment."""
        known = {k: x for k, x in self.values.items() if x is None}
        rest = {k: f for k, f in self.fields.items() if k not in known}
        return Values(**{k: self.tensor(f, moment) for k, f in rest.items()}, **known)

    def tensor(self, field: Field, moment: Moment) -> Any:
        """Return one value: a scalar tensor, a `BetaTensor`, or a Python object."""
        variable = self._variable(field)
        if variable is not None:
            return _wrapped(field, read(variable))
        return as_tensor(field, self.values[field.name], moment)

    def own(self, field: Field) -> Any:
        """Return the value, or the value before `drive`."""
        if field.name in self.released:
            return self.released[field.name]
        return self.read(field)

    present = read

    def _variable(self, field: Field) -> Variable | None:
        """Return the variable of the value, if the value is a number now."""
        number = isinstance(self.values[field.name], float | int)
        return self.variables.get(field.name) if number else None

    def _store(self, field: Field, number: float) -> None:
        if field.name in self.variables:
            self.variables[field.name].assign(_stored(field, number))
        else:
            variable = self.add_variable(field.name, _stored(field, number))
            self.variables[field.name] = variable


def as_tensor(field: Field, value: Any, moment: Moment) -> Any:
    """Return a value without a variable as a rule reads it."""
    if isinstance(value, LearningRateSchedule):
        given = as_scalar(field.name, moment.value(value), value)
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
