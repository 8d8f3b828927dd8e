"""Callbacks that act every few steps, without waiting for the device in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.callbacks.base.optimizer_access import OptimizerAccess
from keras_optlab.core.arguments import optional_steps
from keras_optlab.core.spans import needs_span
from keras_optlab.engine import find_optimizer
from keras_optlab.engine.backend.keras_adapter import (
    gradients_received,
    inner_optimizer,
)


class StepCallback(OptimizerAccess, Callback):
    """A callback that counts steps and calls `on_steps` every `every` steps.

    A step is a batch, or an update with `gradient_accumulation_steps`. The callback
    counts the batches itself. Reading the optimizer's counter would wait for the
    device, and on TensorFlow the counter of a stock Keras optimizer also counts the end
    of a dataset of unknown length. The counter is only read at the start of training,
    around each epoch, and where a loop does not report its batches. With
    `steps_per_execution`, `on_steps` follows the execution in which a multiple of
    `every` was passed.

    A custom training loop must call `on_train_begin` and `on_epoch_end`; the other
    methods are optional.

    Args:
        every: steps between two calls of `on_steps`, the first after step 1; integer
            >= 1. `None` makes no calls.
        optimizer: the optimizer whose step count to continue; `None` is the model's.

    Attributes:
        step: steps trained, continuing the optimizer's count.

    >>> class Printer(StepCallback):
    ...     "Prints the names of the metrics."
    ...     def on_steps(self, metrics):
    ...         print(self.step, list(metrics))
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = keras.ops.ones((4, 1))
    >>> how = {"batch_size": 1, "verbose": 0}
    >>> history = model.fit(x, x, callbacks=[Printer(every=2)], **how)
    1 ['loss']
    2 ['loss']
    4 ['loss']
    """

    def __init__(self, every: int | None, optimizer: Any = None) -> None:
        super().__init__()
        self.set_optimizer(optimizer)
        self.every = optional_steps("every", every, "steps between two points")
        self.step = 0
        self._window = self._at_once = 1
        self._gradients = 0  # before this epoch; `_window` of them make a step
        self._received = 0  # the optimizer's counter before this epoch
        self._begin_epoch()

    @property
    def async_safe(self) -> bool:
        """Whether Keras may call `on_train_batch_end` from another thread."""
        return type(self).on_train_batch_end is StepCallback.on_train_batch_end

    def drives(self) -> set[tuple[int, str]]:
        """Return the driven numbers, each as (`id` of the optimizer, name)."""
        return {
            (id(inner_optimizer(self.optimizer)), name) for name in self.driven_values()
        }

    def on_steps(self, metrics: Mapping[str, Any]) -> None:
        """Act after step `self.step`; a subclass implements this.

        Args:
            metrics: Loss and metrics, mean over the epoch so far, as in Keras.
        """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Continue from the optimizer's step count."""
        super().on_train_begin(logs)
        inner = inner_optimizer(self.optimizer)
        self._window = getattr(inner, "gradient_accumulation_steps", None) or 1
        at_once = getattr(self.model, "steps_per_execution", 1)
        self._at_once = at_once if isinstance(at_once, int) else 1  # "auto"
        self.watch_for_steps()
        self._sync_step()

    def on_epoch_begin(
        self,
        epoch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Read the optimizer's step count, and count batches from there."""
        self._sync_step()

    def on_train_batch_begin(
        self,
        batch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Call `on_steps` if the earlier batches passed a multiple of `every`."""
        if self.count_to(batch):
            self.on_steps(self._metrics())

    def count_to(self, batch: int) -> bool:
        """Count the batches before this one; return whether `on_steps` is due."""
        if self._begun is None:
            self._first = batch
        self._begun = batch
        return self._advance_to(self._step_after(batch - self._first))

    def is_due_after(self, batch: int) -> bool:
        """Return whether `on_steps` will be due after the execution of a batch."""
        return self._is_due_at(self._step_after(batch - self._first + self._at_once))

    def on_train_batch_end(
        self,
        batch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Count the batch; `on_train_batch_begin` also runs when the data have ended.

        Keras may call this from another thread, so it does nothing else.
        """
        self._ended = max(self._ended, batch + 1)

    def on_epoch_end(
        self,
        epoch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
    ) -> None:
        """Call `on_steps` if the last batches passed a multiple of `every`."""
        batches = self._batches_of_epoch()
        due = self._advance_to(self._step_after(batches))
        self._gradients += batches
        self._received = _received(self.optimizer)
        self._begin_epoch()
        if batches:
            self.warn_of_no_step()
        if due:
            metrics = logs or {}
            self.on_steps({k: v for k, v in metrics.items() if k[:4] != "val_"})

    @property
    def updates(self) -> int:
        """The optimizer's number of updates, without skipped steps."""
        ours = self.our_optimizer
        return self.step if ours is None else int(_number(ours.updates))

    def announce(self, schedule: Any) -> None:
        """Announce a schedule over updates, in `on_train_begin`.

        Raises:
            ValueError: if it has no length of its own, and the optimizer is not of this
                package.
        """
        ours = self.our_optimizer
        if ours is not None:
            ours.training_span.serve(schedule)
        elif needs_span(schedule):
            raise ValueError(
                "A schedule without a length of its own needs an optimizer of "
                f"keras_optlab, which counts updates. Received: {schedule!r} with "
                f"{self.optimizer!r}. Pass `steps` to the schedule."
            )

    def scheduled(self, schedule: Any, update: Any) -> Any:
        """Return the value of an announced schedule at an update."""
        ours = self.our_optimizer
        return schedule(update) if ours is None else ours.moment(update).value(schedule)

    def _sync_step(self) -> None:
        """Add the gradients that the optimizer has received since the last reading."""
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
        """Return the means so far, without metrics that have no values yet."""
        metrics = self.model.get_metrics_result()
        for metric in self.model.metrics:
            count = getattr(metric, "count", None)
            if metric.name in metrics and count is not None and _number(count) == 0:
                metrics = {k: v for k, v in metrics.items() if k != metric.name}
        return metrics

    def _step_after(self, batches: int) -> int:
        return (self._gradients + batches) // self._window

    def _advance_to(self, step: int) -> bool:
        """Set the step count; return whether a call of `on_steps` is due."""
        due = self._is_due_at(step)
        self.step = step
        return due

    def _is_due_at(self, step: int) -> bool:
        if self.every is None:
            return False
        return self.step == 0 < step or self.step // self.every < step // self.every


def _received(optimizer: Any) -> int:
    """Return the number of gradients received, by the optimizer's own count."""
    ours = find_optimizer(optimizer)
    if ours is None or ours.accumulates:
        return gradients_received(optimizer)
    return int(_number(ours.updates) + _number(ours.skipped_steps))


def _number(variable: Any) -> float:
    return float(keras.ops.convert_to_numpy(variable))
