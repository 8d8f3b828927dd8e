"""Schedules for hyperparameters of optimizers, transforms and regularizers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.callbacks.base.adjustable_numbers import (
    AdjustableNumber,
    RegularizerNumber,
    find_number,
)
from keras_optlab.callbacks.base.step import StepCallback
from keras_optlab.core import Declared
from keras_optlab.core.arguments import choice
from keras_optlab.core.errors import shown
from keras_optlab.core.fields import as_number
from keras_optlab.core.retrace import retrace
from keras_optlab.core.spans import Moment, Span, needs_span
from keras_optlab.engine.backend.keras_hooks import fit_arguments


class HyperparameterScheduler(StepCallback):
    r"""A schedule or function that sets one hyperparameter during `fit`.

    Before step (or epoch) $t$, the hyperparameter is set to `schedule(t)`. Steps are
    the optimizer's updates; the count continues in a second `fit` and after resuming.
    Epochs count from 0.

    A schedule over steps becomes part of the compiled step: it costs nothing and is
    exact with any `steps_per_execution`, as if passed to the optimizer's constructor. A
    function, a regularizer's strength and the rate of a stock optimizer are instead set
    from Python before each execution; with `unit="step"` this is slow on JAX.

    After training, the hyperparameter keeps its last value. A hyperparameter that was
    off (`None`) before is off again.

    Args:
        name: hyperparameter to set, such as `"learning_rate"`, `"weight_decay"` or
            `"beta_1"`. For a stock Keras optimizer only `"learning_rate"`.
        schedule: a schedule; or a function of `t`, or of `t` and the current value,
            that returns the new value, as in `keras.callbacks.LearningRateScheduler`.
        unit: what `t` counts, `"step"` or `"epoch"`.
        of: owner of the hyperparameter, if not the optimizer: a transform of the
            optimizer (`optimizer.gradient_transforms[0]`) or a regularizer of the
            model.
        optimizer: the optimizer to drive, if a custom training step uses another one
            than the model's; `None` is the model's.

    Raises:
        TypeError: if an argument has a wrong type; in `fit`, if the hyperparameter
            needs an optimizer of keras_optlab and the optimizer is a stock one.
        ValueError: if `unit` is not one of these; in `fit`, if another callback drives
            the same hyperparameter, or a value is out of range.
        AttributeError: in `fit`, if the hyperparameter does not exist, is fixed, or
            follows a schedule already.

    Warns:
        UserWarning: once, if the optimizer takes no step in an epoch.

    Example:
        >>> import keras, numpy as np
        >>> from keras_optlab import optimizers, schedules
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile(optimizers.SGD(0.1, weight_decay=0.1), loss="mse")
        >>> growing = schedules.Linear(0.1, steps=4, final=0.3)
        >>> x, y = np.ones((4, 3)), np.ones((4, 1))
        >>> history = model.fit(x, y, batch_size=1, verbose=0, callbacks=[
        ...     HyperparameterScheduler("weight_decay", growing)])
        >>> round(model.optimizer.weight_decay, 6)
        0.3
    """

    useless = "driving it changes nothing"
    hints = {
        "hyperparameter": "Write `name`.",
        "frequency": "Write `unit`: 'step' or 'epoch'.",
    }

    def __init__(
        self,
        name: str,
        schedule: LearningRateSchedule | Callable[..., float],
        unit: str = "step",
        of: Declared | None = None,
        *,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(every=None, optimizer=optimizer)
        if not isinstance(name, str):
            raise TypeError(
                "`name` must be a hyperparameter's name, such as 'weight_decay'. "
                f"Received: name={shown(name)}"
            )
        if not callable(schedule) or isinstance(schedule, type):
            raise TypeError(
                "`schedule` must be a schedule or a function of the step or epoch. "
                f"Received: schedule={shown(schedule)}"
            )
        self.name, self.schedule, self.of = name, schedule, _owner(of)
        self.unit = choice("unit", unit, ("step", "epoch"))
        self._takes_value = _takes_value(schedule)
        self._target: AdjustableNumber | None = None

    def driven_values(self) -> dict[str, float]:
        """Return the hyperparameter and its value at the next step."""
        target = self._find()
        value = target.get()
        return {target.label: float("nan") if value is None else value}

    def drives(self) -> set[tuple[int, str]]:
        """Return the hyperparameter, as (`id` of its owner, name)."""
        target = self._find()
        if isinstance(target, RegularizerNumber):
            return {(id(target.owner), target.label)}
        return super().drives()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start to drive the hyperparameter."""
        super().on_train_begin(logs)
        target = self._find()
        scheduled = isinstance(self.schedule, LearningRateSchedule)
        in_steps = self.unit == "step"
        self._compiled = scheduled and in_steps and target.in_step
        driver = self.schedule if self._compiled else None
        if scheduled and in_steps and not self._compiled:
            self.announce(self.schedule)
        if driver is None and target.get() is None:  # it is off: switch it on
            driver = self._value_at(self.updates if in_steps else 0, None)
        if target.begin(driver):
            retrace(self.model, "train")
        self._target = target

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the value of the epoch."""
        super().on_epoch_begin(epoch, logs)
        if self.unit == "epoch":
            self._set(epoch)

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Set the value of the step, unless the compiled step does."""
        super().on_train_batch_begin(batch, logs)
        if self.unit == "step" and not self._compiled:
            self._set(self.updates)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Stop driving the hyperparameter."""
        self._end()

    def on_train_interrupted(self) -> None:
        """Stop driving the hyperparameter."""
        self._end()

    def _end(self) -> None:
        target, self._target = self._target, None
        if target is not None and target.end():
            retrace(self.model, "train")

    def warn_of_no_step(self) -> None:
        """Warn if the driven optimizer takes no step."""
        if not isinstance(self._target, RegularizerNumber):
            super().warn_of_no_step()

    def _find(self) -> AdjustableNumber:
        return find_number(self, self.name, self.of)

    def _set(self, t: int) -> None:
        target = self._find()
        target.set(self._value_at(t, target.get()))

    def _value_at(self, t: int, present: float | None) -> float:
        if self._takes_value:
            value = self.schedule(t, present)
        elif self.unit == "epoch":
            value = in_epochs(self.schedule, t)
        else:
            value = self.scheduled(self.schedule, t)
        number = as_number(value)
        if number is None:
            raise TypeError(
                f"`schedule` must return a number. Received: {value!r} for {self.unit} "
                f"{t}."
            )
        return number


def in_epochs(schedule: Any, epoch: int) -> Any:
    """Return the value at an epoch; a schedule without a length spans the `fit`."""
    if not needs_span(schedule):
        return schedule(epoch)
    told = fit_arguments()
    first = told.get("initial_epoch", 0)
    epochs = max(told.get("epochs", 1) - first, 1)
    return Moment(epoch, Span(first, epochs, epochs)).value(schedule)


def _owner(of: Any) -> Declared | None:
    """Return `of` if it is a transform, a regularizer or `None`."""
    if isinstance(of, keras.optimizers.Optimizer):
        raise TypeError(
            "`of` must be a transform or a regularizer. Received: "
            f"of={shown(of)}. Pass an optimizer by `optimizer=`."
        )
    if of is not None and not isinstance(of, Declared):
        raise TypeError(
            "`of` must be a transform or a regularizer of keras_optlab, or None for "
            f"the optimizer. Received: of={shown(of)}"
        )
    return of


def _takes_value(schedule: Any) -> bool:
    """Return whether a function takes the current value as its second argument."""
    if isinstance(schedule, LearningRateSchedule):
        return False
    needed = [
        p
        for p in inspect.signature(schedule).parameters.values()
        if p.default is p.empty
        and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) not in (1, 2):
        raise TypeError(
            "`schedule` must take the step or epoch, and optionally the current value. "
            f"Received: a function of {len(needed)} arguments, {schedule!r}"
        )
    return len(needed) == 2
