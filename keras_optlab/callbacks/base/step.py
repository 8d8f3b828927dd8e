"""Acting every so many steps, without making `fit` wait for the device in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.callbacks.base.arguments import optional_steps
from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.callbacks.base.optimizer_access import OptimizerAccess
from keras_optlab.engine import find_optimizer
from keras_optlab.engine.backend.keras_adapter import (
    gradients_received,
    inner_optimizer,
)


class StepCallback(OptimizerAccess, Callback):
    """Calls `on_steps` after every so many steps, and counts them.

    A step is a batch, or an update with `gradient_accumulation_steps`. Batches are
    counted here: to ask the optimizer would be to wait for the device, and on
    TensorFlow an optimizer of Keras counts the end of data of unknown length, too. The
    optimizer is asked where training begins, and in a loop that does not report its
    batches. With `steps_per_execution` a point follows the execution in which a
    multiple of `every` was passed.

    In a loop of one's own any of the methods may be left out but `on_train_begin` and
    `on_epoch_end`.

    Args:
        every: steps between two points, after one at the first step; integer >= 1.
            `None` makes no points.
        optimizer: whose steps to go on from; `None` is the model's.

    Attributes:
        step: steps trained, as the optimizer counts them.
    """

    def __init__(self, every: int | None, optimizer: Any = None) -> None:
        super().__init__()
        self.take_optimizer(optimizer)
        self.every = optional_steps("every", every, "steps between two points")
        self.step = 0
        self._window = 1
        self._gradients = 0  # at the begin of the epoch, of which windows make a step
        self._received = 0  # by the optimizer until then
        self._begin_epoch()

    @property
    def async_safe(self) -> bool:
        """Whether Keras need not wait for every batch to call `on_train_batch_end`."""
        return type(self).on_train_batch_end is StepCallback.on_train_batch_end

    def drives(self) -> set[tuple[int, str]]:
        """Return what is driven, and that it is this optimizer's."""
        return {(id(inner_optimizer(self.optimizer)), name) for name in self.driven()}

    def on_steps(self, metrics: Mapping[str, Any]) -> None:
        """Act after step `self.step`; a subclass implements this.

        Args:
            metrics: Loss and metrics, mean over the epoch so far, as Keras has them.
        """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Go on from where the optimizer is."""
        super().on_train_begin(logs)
        inner = inner_optimizer(self.optimizer)
        self._window = getattr(inner, "gradient_accumulation_steps", None) or 1
        self.watch_for_steps()
        self._go_on()

    def on_epoch_begin(
        self,
        epoch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Count the batches from here."""
        self._go_on()

    def on_train_batch_begin(
        self,
        batch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Act on the batches before this one, if a multiple of `every` was passed."""
        if self._begun is None:
            self._first = batch
        self._begun = batch
        if self._reach(self._step_after(batch - self._first)):
            self.on_steps(self._metrics())

    def on_train_batch_end(
        self,
        batch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Count the batch; that begins, too, where there turns out to be no more data.

        Keras may call this from another thread, so it does nothing else.
        """
        self._ended = max(self._ended, batch + 1)

    def on_epoch_end(
        self,
        epoch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
    ) -> None:
        """Act on the last batches of the epoch, if they are due."""
        batches = self._batches_of_epoch()
        due = self._reach(self._step_after(batches))
        self._gradients += batches
        self._received = _received(self.optimizer)
        self._begin_epoch()
        if batches:
            self.tell_of_no_step()
        if due:
            metrics = logs or {}
            self.on_steps({k: v for k, v in metrics.items() if k[:4] != "val_"})

    def _go_on(self) -> None:
        """Count from what the optimizer has received, less what was no batch."""
        received = _received(self.optimizer)
        new = received - self._received
        self._gradients = self._gradients + new if new >= 0 else received
        self._received = received
        self.step = self._step_after(0)
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._first, self._begun, self._ended = 0, None, 0

    def _batches_of_epoch(self) -> int:
        new = max(0, _received(self.optimizer) - self._received)
        if self._ended:
            most = self._ended - self._first
            at_once = self.model.steps_per_execution
            if not isinstance(at_once, int) or at_once == 1:
                return most
            least = most - at_once + 1  # the last execution may have had less data
            size = (self.params or {}).get("steps") or 0
            exact = size if least <= size <= most else new
            return exact if least <= exact <= most else most
        return new if self._begun is None else self._begun - self._first + 1

    def _metrics(self) -> dict[str, Any]:
        """Return the means so far, without a loss that nothing has been added to."""
        metrics = self.model.get_metrics_result()
        for metric in self.model.metrics:
            count = getattr(metric, "count", None)
            if metric.name in metrics and count is not None and _number(count) == 0:
                metrics = {k: v for k, v in metrics.items() if k != metric.name}
        return metrics

    def _step_after(self, batches: int) -> int:
        return (self._gradients + batches) // self._window

    def _reach(self, step: int) -> bool:
        """Move on to a step; return whether a point is due there."""
        before, self.step = self.step, step
        if self.every is None:
            return False
        return before == 0 < step or before // self.every < step // self.every


def _received(optimizer: Any) -> int:
    """Return how many gradients an optimizer says that it has received."""
    ours = find_optimizer(optimizer)
    if ours is None or ours.accumulates:
        return gradients_received(optimizer)
    return int(_number(ours.updates) + _number(ours.skipped_steps))


def _number(variable: Any) -> float:
    return float(keras.ops.convert_to_numpy(variable))
