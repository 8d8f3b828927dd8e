"""The loss and the gradient norms of each execution, collected without waiting."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from keras_optlab.core.retrace import retrace
from keras_optlab.engine import (
    Optimizer,
    add_norm_guard,
    around_fit,
    find_optimizer,
    remove_norm_guard,
)
from keras_optlab.spikes import Execution

PATIENCE = 5.0  # seconds; a loop of the user's own may not report all its batches


class ExecutionLog:
    """What is known of the executions of a `fit`.

    Keras hands the logs of an execution to `on_train_batch_end`, in another thread if
    all callbacks allow it, so nothing waits for them. The optimizer records the
    gradient norms within the compiled step.

    Args:
        monitor: Name of the loss in the logs.

    Attributes:
        seen: Number of batches of the epoch that `executions` has returned.
        reported: Whether the loss was ever reported.
        means: Whether it is reported as the mean over the epoch so far.
    """

    def __init__(self, monitor: str) -> None:
        self._counting = threading.Lock()
        self.monitor = monitor
        self.reported, self.means = False, True
        self._optimizer: Optimizer | None = None
        self._norms_read = 0
        self.begin_epoch()

    @property
    def knows_norms(self) -> bool:
        """Whether the step records gradient norms."""
        return self._optimizer is not None

    def start(self, model: Any, optimizer: Optimizer | None, most: int) -> None:
        """Begin, before the step is traced.

        Args:
            model: The model.
            optimizer: The optimizer that records and limits the norms; `None` for none.
            most: Largest number of steps between two calls of `executions`.
        """
        self._optimizer = optimizer
        if optimizer is None:
            return
        guard: Any = optimizer.norm_guard  # of an earlier `fit`
        if guard is None or guard.capacity < most:
            guard = add_norm_guard(optimizer, most)
            retrace(model, "train")
        self._norms_read, _ = guard.since(0)

    def stop(self) -> None:
        """End; a `fit` without a callback that needs it makes another step."""
        self.set_limit(math.inf)
        self._optimizer = None

    def set_limit(self, norm: float) -> None:
        """Set the largest norm of a step that is applied."""
        if self._optimizer is not None and self._optimizer.norm_guard is not None:
            self._optimizer.norm_guard.set_limit(norm)

    def begin_epoch(self) -> None:
        """Count batches from 0."""
        self.seen = self._begun = self._ended = 0
        self._reports: dict[int, float] = {}  # by number of batches before

    def begin(self) -> None:
        """Note that an execution begins."""
        self._begun += 1

    def add(self, batches: int, logs: Mapping[str, Any] | None) -> None:
        """Add the logs after a number of batches; Keras may call in another thread."""
        value = (logs or {}).get(self.monitor)
        if value is not None:
            self._reports[batches] = float(value)
        with self._counting:
            self._ended += 1

    def wait(self) -> None:
        """Wait for logs that are on the way from another thread."""
        until = time.monotonic() + PATIENCE
        while 0 < self._ended < self._begun and time.monotonic() < until:
            time.sleep(1e-4)

    def executions(self, model: Any, done: int) -> list[Execution]:
        """Return the executions since the last call, up to `done` batches.

        Their logs may still be on the way from another thread, which takes microseconds
        once the device has computed them. An execution whose logs do not come is
        put together with the next one.
        """
        latest, norms = self.mean(model), self._new_norms()  # waits for the device
        self.wait()
        start, self.seen = self.seen, done
        arrived, self._reports = self._reports, {}
        reports = {min(k, done): v for k, v in sorted(arrived.items()) if k > start}
        if reports and latest is None and all(applied for _, applied in norms):
            self.means = False
        if done not in reports and latest is not None:
            reports[done] = latest
        self.reported = self.reported or bool(reports)
        ends = sorted({*reports, done})
        aligned = len(norms) == done - start
        found = []
        for first, end in zip([start, *ends], ends, strict=False):
            own = norms[first - start : end - start] if aligned else []
            if not aligned and end == done:
                own = norms  # some batches made no step, or several
            found.append(Execution(first, end - first, reports.get(end), own))
        return found

    def mean(self, model: Any) -> float | None:
        """Return the mean over the epoch, `None` if the loss is not such a metric."""
        for metric in model.metrics:
            if metric.name == self.monitor and hasattr(metric, "total"):
                count = float(keras.ops.convert_to_numpy(metric.count))
                total = float(keras.ops.convert_to_numpy(metric.total))
                return total / count if count else None
        return None

    def _new_norms(self) -> list[tuple[float, bool]]:
        if self._optimizer is None or self._optimizer.norm_guard is None:
            return []
        guard: Any = self._optimizer.norm_guard
        self._norms_read, new = guard.since(self._norms_read)
        return new


class UsesExecutionLog:
    """A callback that uses an `ExecutionLog`."""


@contextlib.contextmanager
def _without_old_guards(
    model: keras.Model, callbacks: list[keras.callbacks.Callback]
) -> Iterator[None]:
    """Remove what an earlier `fit` has left in the step, if no callback needs it."""
    optimizer = find_optimizer(getattr(model, "optimizer", None))
    needed = any(isinstance(c, UsesExecutionLog) for c in callbacks)
    if optimizer is not None and not needed and remove_norm_guard(optimizer):
        retrace(model, "train")
    yield


around_fit(_without_old_guards)
