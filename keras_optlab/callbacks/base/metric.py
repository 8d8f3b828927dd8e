"""Base class of callbacks that watch a metric with a patience."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.callbacks.base.callback import joined_callbacks
from keras_optlab.callbacks.base.step import StepCallback
from keras_optlab.callbacks.base.validation import Validation
from keras_optlab.core.arguments import choice, metric_name, number
from keras_optlab.core.errors import shown, suggest
from keras_optlab.engine.backend.keras_hooks import fit_arguments
from keras_optlab.stopping.deadline import Deadline
from keras_optlab.stopping.direction import check_mode
from keras_optlab.stopping.wait import Wait

MODES = ("auto", "min", "max")
UNITS = ("epochs", "validations", "steps", "seconds")


class MetricCallback(StepCallback):
    """A callback that watches a metric, at the end of epochs or every few steps.

    A subclass implements `on_value` and `on_patience_end`.

    A patience in validations, steps or seconds is checked whenever the metric is
    reported. A patience in epochs is checked at the end of each epoch that reported the
    metric; other epochs do not count.

    A validation metric is reported at the end of epochs, and after each validation of
    a `Validate` in the same `fit`: a value in the logs of `on_train_batch_begin`.

    Args:
        monitor: name of the metric.
        patience: wait without improvement; >= 0, an integer unless in seconds.
        min_delta: an improvement by this much or less does not count; >= 0.
        mode: `"min"`, `"max"` or `"auto"`.
        every: steps between two values; `None` takes one at the end of each epoch, and
            at each validation of a `Validate`.
        patience_unit: `"epochs"`, `"validations"`, `"steps"` or `"seconds"`; `None` is
            `"validations"` if a `Validate` reports the metric, else `"epochs"`.
        optimizer: the optimizer whose step count to use; `None` is the model's.

    Attributes:
        epoch: the running epoch, counted from 0.
        reported: the metrics that were reported last, by name.
        acts_by_step: whether values may come in the middle of an epoch.
        patience_unit: the unit in the running `fit`.
        clock: returns the current time in seconds.

    >>> class Alarm(MetricCallback):
    ...     "Prints how long the loss has not fallen."
    ...     def on_value(self, value):
    ...         self.wait.update(value, self.now)
    ...     def on_patience_end(self):
    ...         print(self.wait_text())
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.0), "mse")
    >>> alarm = Alarm("loss", 2, 0.0, "auto", every=None, patience_unit="epochs")
    >>> x = keras.ops.ones((4, 1))
    >>> history = model.fit(x, x, epochs=3, verbose=0, callbacks=[alarm])
    loss has not improved for 2 epochs
    """

    clock = staticmethod(time.monotonic)

    def __init__(
        self,
        monitor: str,
        patience: float,
        min_delta: float,
        mode: str,
        every: int | None,
        patience_unit: str | None,
        optimizer: Any = None,
    ) -> None:
        super().__init__(every, optimizer)
        self.monitor = monitor = metric_name(monitor)
        self.mode = check_mode(monitor, choice("mode", mode, MODES))
        self._of_validation = monitor.startswith("val_")
        self._given_unit = _unit(patience_unit, monitor)
        self.patience_unit = self._given_unit or "epochs"
        self.patience = self.in_unit("patience", patience)
        self.min_delta = number(
            "min_delta", min_delta, ">= 0", "smallest improvement that counts"
        )
        self.epoch = self._epochs = self._values = 0
        self._warned = self._reported = self._due = self.acts_by_step = False
        self.reported: Mapping[str, Any] = {}

    def in_unit(self, name: str, value: Any) -> float:
        """Check a duration >= 0, in the unit of the patience."""
        whole = self.patience_unit != "seconds"
        return number(name, value, ">= 0", self.patience_unit, integer=whole)

    def on_value(self, value: float) -> None:
        """Handle a new value, with `self.wait.update(value, self.now)`."""
        raise NotImplementedError

    def on_patience_end(self) -> None:
        """Act when the patience is exhausted."""
        raise NotImplementedError

    def start_waiting(self) -> None:
        """Forget the best value and restart the wait."""
        self.wait = Wait(self.mode, self.patience, self.min_delta, self.now)

    @property
    def now(self) -> float:
        """Position in the unit of the patience; only epochs with a value count."""
        if self.patience_unit in ("epochs", "validations"):
            return self._epochs if self.patience_unit == "epochs" else self._values
        return self.step if self.patience_unit == "steps" else self.timer.elapsed

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Reset the state of the previous `fit`.

        Raises:
            ValueError: if `every` is set for a validation metric that no callback
                reports in the middle of epochs.
        """
        validates = any(c.reports(self.monitor) for c in joined_callbacks())
        if self.every and self._of_validation and fit_arguments() and not validates:
            raise ValueError(
                "`monitor` must be a metric of the training data if `every` is set, "
                "unless a callback runs validation in the middle of epochs. "
                f"Received: monitor={shown(self.monitor)}, every={self.every}. Add "
                f"Validate(every={self.every}) to the callbacks, or leave `every` out."
            )
        super().on_train_begin(logs)
        self.timer = Deadline(None, self.clock)
        self.acts_by_step = validates or self.every is not None
        default = "validations" if validates else "epochs"
        self.patience_unit = self._given_unit or default
        self._epochs = self._values = 0
        self._reported = self._due = False
        self.start_waiting()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Store the epoch."""
        super().on_epoch_begin(epoch, logs)
        self.epoch = epoch
        self._reported = False

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Read the metric if it is due, or if a validation has just reported it."""
        super().on_train_batch_begin(batch, logs)
        if self._of_validation and self.monitor in (logs or {}):
            self._read_validation(logs or {})

    def on_steps(self, metrics: Mapping[str, Any]) -> None:
        """Read the metric: its mean over the epoch so far."""
        if self._of_validation:
            self._due = True  # the next validation
        else:
            self._read_metric(metrics)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Read the metric of the epoch, and check a patience in epochs."""
        self.epoch = epoch
        super().on_epoch_end(epoch, logs)
        if self._of_validation:
            if not any(self.monitor in c.old_names for c in self.companions):
                self._read_validation(logs or {})
        elif self.every is None:
            self._read_metric(logs or {})
        if self._reported and self.patience_unit == "epochs":
            self._check_patience()
        self._reported = False

    def position_text(self) -> str:
        """Return the current step or epoch, as words for a message."""
        by_step = self.acts_by_step
        return f"at step {self.step}" if by_step else f"after epoch {self.epoch + 1}"

    def wait_text(self) -> str:
        """Return the wait without improvement, as words for a message."""
        waited = self.wait.waited
        unit = self.patience_unit[:-1] if waited == 1 else self.patience_unit
        return f"{self.monitor} has not improved for {waited:.6g} {unit}"

    def _read_validation(self, metrics: Mapping[str, Any]) -> None:
        """Read a validation metric, unless `every` steps have not passed yet."""
        if self.every is None or self._due:
            self._due = False
            self._read_metric(metrics)

    def _read_metric(self, metrics: Mapping[str, Any]) -> None:
        self.reported = metrics
        if self.monitor not in metrics:
            self._warn_missing(metrics)
            return
        value = keras.ops.convert_to_numpy(metrics[self.monitor])
        if value.size != 1:
            raise ValueError(
                f"{type(self).__name__} needs a metric with a single value. Received: "
                f"monitor={shown(self.monitor)} with shape {value.shape}. Average it, "
                "for instance with the metric's own argument `average='macro'`."
            )
        if not self._reported:
            self._reported = True
            self._epochs += 1
        self._values += 1
        self.on_value(float(value.item()))
        if self.patience_unit != "epochs":
            self._check_patience()

    def _check_patience(self) -> None:
        if self.wait.exhausted:
            self.on_patience_end()

    def _warn_missing(self, metrics: Mapping[str, Any]) -> None:
        validated = any(name.startswith("val_") for name in metrics)
        expected = self.monitor.startswith("val_") and not validated
        coming = Validation.of_this_fit()
        if expected and coming is not None and coming.after(self.epoch):
            return
        if expected and any(c.reports(self.monitor) for c in self.companions):
            return  # `Validate` warns if it never runs
        if self._warned or self._epochs:
            return
        self._warned = True
        if self.every and not self._of_validation:
            hint = (
                "Name one of these. A value that a custom `train_step` returns, but "
                "that is not a metric of the model, is reported at the end of epochs "
                "only: leave `every` out to monitor it."
            )
        elif expected and coming is not None:
            hint = f"Name one of these, or {coming.missing}."
        elif expected:
            hint = (
                "Name one of these, or report the metric in the `logs`. If validation "
                "only runs every few epochs, ignore this warning."
            )
        else:
            hint = "Name one of these."
        warnings.warn(
            f"{type(self).__name__} waits for a metric that `fit` did not report. "
            f"Received: monitor={shown(self.monitor)}. "
            f"{suggest(self.monitor, metrics)} "
            f"{hint}",
            stacklevel=2,
        )


def _unit(unit: str | None, monitor: str) -> str | None:
    """Return a checked unit of the patience."""
    if unit is None:
        return None
    choice("patience_unit", unit, UNITS)
    if unit == "validations" and not monitor.startswith("val_"):
        raise ValueError(
            "`monitor` must be a validation metric for a patience in validations. "
            f"Received: monitor={shown(monitor)}, patience_unit={shown(unit)}. Write "
            "'val_...', or another unit."
        )
    return unit
