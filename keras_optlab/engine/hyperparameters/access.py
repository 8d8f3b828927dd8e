"""Reading, setting and driving an optimizer's hyperparameters while it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.errors import advise_name, shown
from keras_optlab.core.fields import Field
from keras_optlab.core.rates import check_rate, takes_step
from keras_optlab.engine.backend.keras_adapter import KerasAdapter, concrete, is_purged
from keras_optlab.engine.backend.variables import to_numpy
from keras_optlab.engine.hyperparameters.options import Options


class HyperparameterAccess(Options, KerasAdapter):
    """An optimizer's hyperparameters, as users and callbacks reach them.

    Attributes:
        scalars: All values but those that Keras owns. Of these, only the learning rate
            moves.
        updates: Variable; the number of updates applied.
    """

    scalars: Any = None
    updates: Any = None
    _rate_driver: Any = None

    if not TYPE_CHECKING:  # to a type checker it is the field that subclasses declare

        @property
        def learning_rate(self) -> Any:
            """The rate as given: the variable, or the schedule's present value."""
            rate = self.rate_driver
            if isinstance(rate, keras.Variable):
                return rate
            if isinstance(rate, LearningRateSchedule) or takes_step(rate):
                return rate(self.updates)
            return rate()

        @learning_rate.setter
        def learning_rate(self, value: Any) -> None:
            value = check_rate(value)
            rate = self.rate_driver
            if isinstance(value, float) and not isinstance(rate, keras.Variable):
                raise TypeError(
                    f"The learning rate is driven by {rate!r}. "
                    f"Received: learning_rate={value}. Set `learning_rate_scale` to "
                    "move it, or construct the optimizer with a number. The callback "
                    "ReduceOnPlateau of keras_optlab moves the scale, where Keras' "
                    "ReduceLROnPlateau and LearningRateScheduler set the rate itself."
                )
            KerasAdapter.learning_rate.fset(self, value)

    @property
    def rate_driver(self) -> Any:
        """What gives the rate now: a variable, a schedule or a function."""
        return self._rate_driver or self.base_learning_rate

    @property
    def current_learning_rate(self) -> float:
        """The rate that the next update uses: `learning_rate` times its scale."""
        return self.current("learning_rate") * self.current("learning_rate_scale")

    def current(self, name: str) -> Any:
        """Return a hyperparameter's value at this update, as a Python number.

        Raises:
            AttributeError: if there is no such hyperparameter.
        """
        field = self._field(name)
        if name == "learning_rate":
            return self._current_rate()
        if field.keras_owned:
            return getattr(self, name)
        return self.scalars.current(field, self.updates)

    def adjust(self, name: str, value: float) -> None:
        """Change a hyperparameter of a running optimizer; nothing is traced again.

        Args:
            name: A declared hyperparameter, or `"learning_rate"`.
            value: Its new value, in the declared range.

        Raises:
            AttributeError: if it does not exist, was fixed or absent at construction,
                or follows a schedule.
            ValueError: if the value is out of range.

        >>> from keras_optlab import optimizers
        >>> optimizer = optimizers.Adam()
        >>> optimizer.adjust("beta_1", 0.95)
        >>> optimizer.beta_1
        0.95
        """
        setattr(self, self._field(name).name, value)

    def write_field(self, field: Field, value: Any) -> None:
        """Move a number; Keras' own constructor may assign before there is one."""
        if self.scalars is None:
            return
        self._check_gate(field, value)
        self.scalars.write(field, value)

    def drive(self, name: str, value: Any) -> None:
        """Let a schedule drive a hyperparameter, or switch one on, until `release`.

        The step must be traced after the call. Meanwhile `get_config` tells the value
        the optimizer was made with.

        Args:
            name: A declared hyperparameter, or `"learning_rate"`.
            value: A schedule, which counts updates, or a number.

        Raises:
            AttributeError: if it does not exist, is fixed, or is driven already.
            ValueError: if the value is out of range.

        >>> from keras_optlab import optimizers, schedules
        >>> optimizer = optimizers.Adam()
        >>> optimizer.drive("weight_decay", schedules.Cosine(0.1, 100))
        >>> optimizer.current("weight_decay")
        0.1
        >>> optimizer.release("weight_decay")
        >>> optimizer.weight_decay is None
        True
        """
        field = self._field(name)
        if field.keras_owned:
            self._drive_rate(field, value)
        else:
            self._check_gate(field, value)
            self.scalars.drive(field, value)

    def release(self, name: str, keep: bool = False) -> None:
        """Undo `drive`; the step must be traced after the call.

        Args:
            name: What was driven.
            keep: Whether what was a number before stays at its last value.
        """
        field = self._field(name)
        # After a step that failed on JAX there is no state to read, nor to write.
        keep = keep and not is_purged(self.updates)
        last = self.current(name) if keep else None
        if field.keras_owned:
            self._rate_driver = None
            if last is not None:
                self.learning_rate = last
        else:
            self.scalars.release(field, last)

    # Small things the above is made of.

    def _current_rate(self) -> float:
        rate = self.rate_driver
        if isinstance(rate, LearningRateSchedule):  # of a Python number: no device work
            rate = rate(int(to_numpy(self.updates)))
        else:
            rate = self.learning_rate
        return float(to_numpy(rate))

    def _present(self, name: str) -> Any:
        """Return an argument's value, as it is now."""
        rate = self.base_learning_rate
        if name != "learning_rate" or not isinstance(rate, keras.Variable):
            return super()._present(name)
        given, now = self._values.learning_rate, concrete(rate)
        if now is None or (isinstance(given, float) and now == now.dtype.type(given)):
            return given
        return float(str(now))  # as short as it can be said in its type

    def _drive_rate(self, field: Field, value: Any) -> None:
        rate = self.base_learning_rate
        if field.name != "learning_rate":
            raise AttributeError(
                f"`{field.name}` ({field.doc}) is fixed at construction. "
                f"Received: {field.name}={value!r}. Make a new object."
            )
        if self._rate_driver is not None or not isinstance(rate, keras.Variable):
            raise AttributeError(
                f"`learning_rate` is driven by {self._rate_driver or rate!r} already. "
                f"Received: learning_rate={value!r}. Let only one drive it; "
                "`learning_rate_scale` is a factor on it."
            )
        self._rate_driver = check_rate(value)

    def _field(self, name: str) -> Field:
        if not isinstance(name, str) or name not in self.fields:
            raise AttributeError(
                f"{type(self).__name__} has no such hyperparameter. "
                f"Received: {shown(name)}. {advise_name(name, self.fields)}"
            )
        return self.fields[name]

    def _own(self, name: str) -> Any:
        field = self.fields[name]
        return getattr(self, name) if field.keras_owned else self.scalars.own(field)

    def _check_gate(self, field: Field, value: Any) -> None:
        gated = [s.name for s in self.slots if s.when == field.name]
        if field.adjustable and gated and not getattr(self, field.name) and value:
            raise AttributeError(
                f"`{field.name}` was 0 at construction, so there is no slot "
                f"{gated[0]!r}. Received: {field.name}={value!r}. Construct with a "
                "number > 0, and move that."
            )
