"""Reading, changing and scheduling an optimizer's hyperparameters in training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.errors import advise_name, shown
from keras_optlab.core.fields import Field, HyperField
from keras_optlab.core.spans import Moment
from keras_optlab.engine.backend.keras_adapter import KerasAdapter, is_purged
from keras_optlab.engine.backend.variables import to_numpy
from keras_optlab.engine.hyperparameters.options import Options

UPDATES = HyperField("> 0", False, True, default=1, doc="number of updates")
UPDATES.name = "updates"
EPOCHS = HyperField(">= 0", False, True, default=0, doc="number of epochs")
EPOCHS.name = "epochs"


class HyperparameterAccess(Options, KerasAdapter):
    """Methods of an optimizer to read, change and schedule its hyperparameters.

    Attributes:
        scalars: Store of the hyperparameters that Keras does not store.
        updates: Variable; the number of updates applied.
        rate: Store of the learning rate, which Keras stores.
        keras_arguments: Store of the other arguments that Keras stores, all fixed.
        training_span: The updates that schedules without a length run over.
    """

    scalars: Any = None
    updates: Any = None
    rate: Any = None
    keras_arguments: Any = None
    training_span: Any = None

    if not TYPE_CHECKING:  # to a type checker it is the field that subclasses declare

        @property
        def learning_rate(self) -> Any:
            """The learning rate: a variable, or the current value of a schedule."""
            return self.rate.read(self.fields["learning_rate"])

        @learning_rate.setter
        def learning_rate(self, value: Any) -> None:
            self.rate.write(self.fields["learning_rate"], value)

    @property
    def current_learning_rate(self) -> float:
        """The rate of the next update: `learning_rate` times `learning_rate_scale`."""
        return self.current("learning_rate") * self.current("learning_rate_scale")

    def current(self, name: str) -> Any:
        """Return a hyperparameter's value at the next update, as a Python number.

        Raises:
            AttributeError: if there is no such hyperparameter.
        """
        field = self._field(name)
        moment = self.moment(int(to_numpy(self.updates)))
        return self._store(field).current(field, moment)

    def adjust(self, name: str, value: float) -> None:
        """Change a hyperparameter, also during training; this needs no retrace.

        Args:
            name: A declared hyperparameter, or `"learning_rate"`.
            value: Its new value, in the declared range.

        Raises:
            AttributeError: if it does not exist, cannot change after construction, was
                `None` at construction, or follows a schedule.
            TypeError: if it is the learning rate and follows a schedule.
            ValueError: if the value is out of range.

        >>> from keras_optlab import optimizers
        >>> optimizer = optimizers.Adam()
        >>> optimizer.adjust("beta_1", 0.95)
        >>> optimizer.beta_1
        0.95
        """
        field = self._field(name)
        self._check_gate(field, value)
        self._store(field).write(field, value)

    def write_field(self, field: Field, value: Any) -> None:
        """Change a number; ignore assignments in Keras' constructor."""
        if self.scalars is None:
            return
        self._check_gate(field, value)
        self.scalars.write(field, value)

    def drive(self, name: str, value: Any) -> None:
        """Drive a hyperparameter by a schedule or a number until `release`.

        A hyperparameter that is `None` can be driven too. The step must be retraced
        after the call. Until `release`, `get_config` returns the previous value.

        Args:
            name: A declared hyperparameter, or `"learning_rate"`.
            value: A schedule, evaluated at the number of updates, or a number.

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
        self._check_gate(field, value)
        self._store(field).drive(field, value)
        self.training_span.prepare()

    def release(self, name: str, keep: bool = False) -> None:
        """Undo `drive`; the step must be retraced after the call.

        Args:
            name: The hyperparameter that is driven.
            keep: Whether it keeps the last driven value, if it was a number before.
        """
        field = self._field(name)
        # After a failed step on JAX, state can be neither read nor written.
        keep = keep and not is_purged(self.updates)
        last = self.current(name) if keep else None
        self._store(field).release(field, last)

    def span(self, updates: int, epochs: int = 0) -> None:
        """Begin a span: schedules without a length run over the next updates.

        `fit` does this by itself, for its own updates. Call it before a loop of
        `train_on_batch` or of your own, before a series of short calls of `fit` that
        are one training, or in `fit` if an optimizer takes more or fewer updates than
        batches. `fit` leaves a span that was begun here until its last update. After
        that the schedules keep their final values.

        Args:
            updates: Number of updates; integer > 0.
            epochs: Their number of epochs, for schedules with a length in epochs.

        Raises:
            ValueError: if a number is out of range, or `epochs` is needed.
            TypeError: if a number is not an integer.

        >>> from keras_optlab import optimizers, schedules
        >>> optimizer = optimizers.Adam(schedules.Cosine(1e-3))
        >>> optimizer.span(updates=100)
        >>> round(optimizer.current("learning_rate"), 6)
        0.001
        """
        updates, epochs = UPDATES.validate(updates), EPOCHS.validate(epochs)
        step = int(to_numpy(self.updates))
        self.training_span.begin(step, updates, epochs, by_hand=True)

    def moment(self, step: Any) -> Moment:
        """Return an update as the moment at which schedules are evaluated."""
        span = self.training_span
        return Moment(step, None) if span is None else span.at(step)

    # Helpers.

    def _schedules(self) -> Iterator[Any]:
        """Yield all schedules that drive a hyperparameter now."""
        values = [self.rate.source, *self.scalars.values.values()]
        for group in self.groups:
            values += group.hyperparameters.values()
        for store in self.transform_scalars:
            values += store.values.values()
        yield from (x for x in values if isinstance(x, LearningRateSchedule))

    def _store(self, field: Field) -> Any:
        """Return the store of a field."""
        if not field.keras_owned:
            return self.scalars
        return self.rate if field.adjustable else self.keras_arguments

    def _present(self, name: str) -> Any:
        """Return an argument's current value, or its schedule."""
        field = self.fields[name]
        return self._store(field).present(field)

    def _field(self, name: str) -> Field:
        if not isinstance(name, str) or name not in self.fields:
            raise AttributeError(
                f"{type(self).__name__} has no such hyperparameter. "
                f"Received: {shown(name)}. {advise_name(name, self.fields)}"
            )
        return self.fields[name]

    def _own(self, name: str) -> Any:
        """Return an argument's value, or the value before `drive`."""
        field = self.fields[name]
        return self._store(field).own(field)

    def _check_gate(self, field: Field, value: Any) -> None:
        gated = [s.name for s in self.slots if s.when == field.name]
        if field.adjustable and gated and not getattr(self, field.name) and value:
            raise AttributeError(
                f"`{field.name}` was 0 at construction, so there is no slot "
                f"{gated[0]!r}. Received: {field.name}={value!r}. Construct with a "
                "number > 0, and change that."
            )
