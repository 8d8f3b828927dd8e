"""Base class of callbacks that watch a metric with a patience."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.callbacks.base.arguments import choice, metric_name, number
from keras_optlab.callbacks.base.step import StepCallback
from keras_optlab.callbacks.base.validation import Validation
from keras_optlab.core.errors import suggest
from keras_optlab.stopping.direction import check_mode
from keras_optlab.stopping.wait import Wait

MODES = ("auto", "min", "max")
UNITS = ("epochs", "steps", "seconds")


class MetricCallback(StepCallback):
    """A callback that watches a metric, at the end of epochs or every few steps.

    A subclass implements `on_value` and `on_patience_end`.

    A patience in steps or seconds is checked whenever the metric is reported. A
    patience in epochs is checked at the end of each epoch that reported the metric;
    other epochs do not count.

    Args:
        monitor: name of the metric.
        patience: wait without improvement; >= 0, an integer unless in seconds.
        min_delta: an improvement by this much or less does not count; >= 0.
        mode: `"min"`, `"max"` or `"auto"`.
        every: steps between two values; `None` takes one at the end of each epoch.
        patience_unit: `"epochs"`, `"steps"` or `"seconds"`.
        optimizer: the optimizer whose step count to use; `None` is the model's.

    Attributes:
        epoch: the running epoch, counted from 0.
        reported: the metrics that were reported last, by name.
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
        patience_unit: str,
        optimizer: Any = None,
    ) -> None:
        super().__init__(every, optimizer)
        monitor = metric_name(monitor)
        if every is not None and monitor.startswith("val_"):
            raise ValueError(
                "`monitor` must be a metric of the training data if `every` is set, "
                "since validation runs at the end of epochs only. "
                f"Received: monitor={monitor!r}, every={every}. Leave `every` out."
            )
        self.monitor = monitor
        self.mode = check_mode(monitor, choice("mode", mode, MODES))
        self.patience_unit = choice("patience_unit", patience_unit, UNITS)
        self.patience = self.in_unit("patience", patience)
        self.min_delta = number(
            "min_delta", min_delta, ">= 0", "smallest improvement that counts"
        )
        self.epoch = self._epochs = 0
        self._warned = self._reported = False
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
        """Position in the unit of the patience: epochs reported, steps or seconds."""
        if self.patience_unit == "epochs":
            return self._epochs
        return self.step if self.patience_unit == "steps" else self.clock()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Reset the state of the previous `fit`."""
        super().on_train_begin(logs)
        self._epochs, self._reported = 0, False
        self.start_waiting()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Store the epoch."""
        super().on_epoch_begin(epoch, logs)
        self.epoch = epoch
        self._reported = False

    def on_steps(self, metrics: Mapping[str, Any]) -> None:
        """Read the metric: its mean over the epoch so far."""
        self._read_metric(metrics)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Read the metric of the epoch, and check a patience in epochs."""
        self.epoch = epoch
        super().on_epoch_end(epoch, logs)
        if self.every is None:
            self._read_metric(logs or {})
        if self._reported and self.patience_unit == "epochs":
            self._check_patience()
        self._reported = False

    def position_text(self) -> str:
        """Return the current step or epoch, as words for a message."""
        return f"at step {self.step}" if self.every else f"after epoch {self.epoch + 1}"

    def wait_text(self) -> str:
        """Return the wait without improvement, as words for a message."""
        waited = self.wait.waited
        unit = self.patience_unit[:-1] if waited == 1 else self.patience_unit
        return f"{self.monitor} has not improved for {waited:.6g} {unit}"

    def _read_metric(self, metrics: Mapping[str, Any]) -> None:
        self.reported = metrics
        if self.monitor not in metrics:
            self._warn_missing(metrics)
            return
        value = keras.ops.convert_to_numpy(metrics[self.monitor])
        if value.size != 1:
            raise ValueError(
                f"{type(self).__name__} needs a metric with a single value. Received: "
                f"monitor={self.monitor!r} with shape {value.shape}. Average it, for "
                "instance with the metric's own argument `average='macro'`."
            )
        if not self._reported:
            self._reported = True
            self._epochs += 1
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
        if self._warned or self._epochs:
            return
        self._warned = True
        if self.every:
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
            f"Received: monitor={self.monitor!r}. {suggest(self.monitor, metrics)} "
            f"{hint}",
            stacklevel=2,
        )
