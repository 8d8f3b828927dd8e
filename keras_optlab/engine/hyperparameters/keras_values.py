"""Stores of what Keras' base class keeps: the learning rate, and fixed arguments.

They have the methods of `HyperparameterVariables`, so that an optimizer reads, changes
and drives each hyperparameter in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.fields import Field
from keras_optlab.core.rates import called, check_rate
from keras_optlab.core.spans import Moment
from keras_optlab.engine.backend.keras_adapter import KerasAdapter, concrete
from keras_optlab.engine.backend.variables import to_numpy

if TYPE_CHECKING:
    from keras_optlab.engine.hyperparameters.access import HyperparameterAccess


class KerasLearningRate:
    """Store of the learning rate: Keras' variable or schedule, or a temporary driver.

    Args:
        optimizer: The optimizer, after Keras' constructor.
    """

    def __init__(self, optimizer: HyperparameterAccess) -> None:
        self.optimizer = optimizer
        self.driven_by: Any = None

    @property
    def source(self) -> Any:
        """The current source of the rate: a variable, a schedule or a function."""
        driver = self.driven_by
        return self.optimizer.base_learning_rate if driver is None else driver

    def read(self, field: Field) -> Any:  # noqa: ARG002
        """Return the variable, or the current value of a schedule or function."""
        rate = self.source
        if isinstance(rate, keras.Variable | float):
            return rate
        if isinstance(rate, LearningRateSchedule):
            return self.optimizer.moment(self.optimizer.updates).value(rate)
        return called(rate, self.optimizer.updates)

    def write(self, field: Field, value: Any) -> None:  # noqa: ARG002
        """Set the variable, or replace it by a schedule or function."""
        value, rate = check_rate(value), self.source
        if isinstance(value, float) and not isinstance(rate, keras.Variable):
            raise TypeError(
                f"The learning rate is driven by {rate!r}. "
                f"Received: learning_rate={value}. Set `learning_rate_scale`, a factor "
                "on it, or construct the optimizer with a number. Keras' callbacks "
                "ReduceLROnPlateau and LearningRateScheduler set the learning rate; "
                "keras_optlab's ReduceOnPlateau sets the scale instead."
            )
        KerasAdapter.learning_rate.fset(self.optimizer, value)

    def current(self, field: Field, moment: Moment) -> float:
        """Return the rate at a moment with an integer step, as a Python number."""
        rate = self.source
        if isinstance(rate, LearningRateSchedule):  # an integer step needs no device
            return float(to_numpy(moment.value(rate)))
        return float(to_numpy(self.read(field)))

    def drive(self, field: Field, value: Any) -> None:
        """Replace the variable by a schedule or a number until `release`."""
        if not isinstance(self.source, keras.Variable):
            raise AttributeError(
                f"`{field.name}` is driven by {self.source!r} already. "
                f"Received: {field.name}={value!r}. Let only one schedule or callback "
                "drive it. Set `learning_rate_scale` to multiply it by a factor."
            )
        self.driven_by = check_rate(value)

    def release(self, field: Field, last: float | None = None) -> None:
        """Undo `drive`; set the variable to `last` if it is given."""
        self.driven_by = None
        if last is not None:
            self.write(field, last)

    def own(self, field: Field) -> Any:
        """Return the rate without a driver: a number, a schedule or a function."""
        rate = self.optimizer.base_learning_rate
        if not isinstance(rate, keras.Variable):
            return rate
        given, now = getattr(self.optimizer._values, field.name), concrete(rate)
        if now is None or (isinstance(given, float) and now == now.dtype.type(given)):
            return given
        return float(str(now))  # the shortest decimal number for it in its dtype

    present = own


class KerasArguments:
    """Store of the fixed arguments that Keras keeps, such as `use_ema` and `name`.

    Args:
        optimizer: The optimizer, after Keras' constructor.
    """

    def __init__(self, optimizer: HyperparameterAccess) -> None:
        self.optimizer = optimizer

    def read(self, field: Field) -> Any:
        """Return the value."""
        return getattr(self.optimizer, field.name)

    def current(self, field: Field, moment: Moment) -> Any:  # noqa: ARG002
        """Return the value."""
        return self.read(field)

    def write(self, field: Field, value: Any) -> None:
        """Raise, since the value is fixed."""
        raise AttributeError(
            f"`{field.name}` ({field.doc}) is fixed at construction. "
            f"Received: {field.name}={value!r}. Make a new object."
        )

    drive = write
    own = read

    def present(self, field: Field) -> Any:
        """Return the value as constructed."""
        return getattr(self.optimizer._values, field.name)
