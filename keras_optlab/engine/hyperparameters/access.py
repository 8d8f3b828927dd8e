"""Reading, setting and driving an optimizer's hyperparameters while it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_optlab.core.errors import advise_name, shown
from keras_optlab.core.fields import Field
from keras_optlab.engine.backend.keras_adapter import KerasAdapter, is_purged
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
    rate: Any = None
    keras_arguments: Any = None

    if not TYPE_CHECKING:  # to a type checker it is the field that subclasses declare

        @property
        def learning_rate(self) -> Any:
            """The rate as given: the variable, or the schedule's present value."""
            return self.rate.read(self.fields["learning_rate"])

        @learning_rate.setter
        def learning_rate(self, value: Any) -> None:
            self.rate.write(self.fields["learning_rate"], value)

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
        return self._store(field).current(field, self.updates)

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
        self._check_gate(field, value)
        self._store(field).drive(field, value)

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
        self._store(field).release(field, last)

    # Small things the above is made of.

    def _store(self, field: Field) -> Any:
        """Return what keeps the values of a field."""
        if not field.keras_owned:
            return self.scalars
        return self.rate if field.adjustable else self.keras_arguments

    def _present(self, name: str) -> Any:
        """Return an argument's value, as it is now."""
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
        """Return an argument's value without what a callback drives meanwhile."""
        field = self.fields[name]
        return self._store(field).own(field)

    def _check_gate(self, field: Field, value: Any) -> None:
        gated = [s.name for s in self.slots if s.when == field.name]
        if field.adjustable and gated and not getattr(self, field.name) and value:
            raise AttributeError(
                f"`{field.name}` was 0 at construction, so there is no slot "
                f"{gated[0]!r}. Received: {field.name}={value!r}. Construct with a "
                "number > 0, and move that."
            )
