"""The time of a step in `fit`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras

from keras_optlab.engine.backend.variables import wait_for

FEWEST = 3  # executions in an epoch of which one can be measured alone


class Stopwatch(keras.callbacks.Callback):
    """Callback that times the steps of a `fit`, and ends it after enough of them.

    Only the begin of an execution is watched, since Keras waits for the device after
    every execution if a callback has `on_train_batch_end`. The device is waited for
    twice in a measurement: when it begins and when it ends.

    Args:
        seconds: How long to measure, > 0.
        steps_per_execution: That of the model.
        whole_epochs: Whether to measure from the end of an epoch to the end of another,
            because an epoch has only few executions. Else the first and the last
            execution of an epoch are left out: they fill the pipeline and may have a
            smaller batch.
        steps_per_epoch: The argument of `fit`. All executions have the same number of
            steps then.
        deadline: Time of `clock` at which to end after the present execution, if at
            least one has been measured.
        clock: Returns the current time in seconds.

    Attributes:
        first: Seconds of the first execution, mostly compilation; `None` before it.
        elapsed: Seconds that were measured.
        steps: Steps that were measured.
    """

    def __init__(
        self,
        seconds: float,
        steps_per_execution: int,
        *,
        whole_epochs: bool = False,
        steps_per_epoch: int | None = None,
        deadline: float = float("inf"),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self._seconds, self._deadline, self._clock = seconds, deadline, clock
        self._at_once, self._whole_epochs = steps_per_execution, whole_epochs
        self._steps_per_epoch = steps_per_epoch
        self.first: float | None = None
        self.elapsed, self.steps = 0.0, 0
        self._begin: float | None = None  # of the first execution
        self._start: tuple[float, int] | None = None  # of the part that is measured
        self._epochs = 0

    @property
    def step_seconds(self) -> float | None:
        """Mean seconds of a step, `None` if none was measured."""
        return self.elapsed / self.steps if self.steps else None

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Find out how many steps an epoch has.

        Raises:
            ValueError: if that is not known.
        """
        length = (self.params or {}).get("steps")
        if length is None:
            raise ValueError(
                "The length of the data is not known, so that steps cannot be "
                "counted. Received: data without a length. Pass `steps_per_epoch`."
            )
        full = -(-length // self._at_once) * self._at_once
        self._length: int = full if self._steps_per_epoch else length
        self._whole_epochs |= self._length < FEWEST * self._at_once

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Begin or end the measurement, if it is time."""
        if self._begin is None:
            self._begin = self._clock()
            return
        if self.first is None:
            self._wait()
            self.first = self._clock() - self._begin
        if self._whole_epochs or batch == 0:
            return
        if self._start is None:
            self._wait()
            self._start = self._clock(), batch
        elif self._is_enough() or batch + self._at_once >= self._length:
            self._stop(batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Begin or end the measurement of whole epochs."""
        self._epochs += 1
        if self.first is None and self._begin is not None:
            self._wait()
            self.first = self._clock() - self._begin
        if not self._whole_epochs:
            self._start = None
            self.model.stop_training |= self._is_over()
        elif self._start is None:
            self._wait()
            self._start = self._clock(), self._epochs * self._length
        elif self._is_enough():
            self._stop(self._epochs * self._length)

    def _is_enough(self) -> bool:
        now = self._clock()
        running = 0.0 if self._start is None else now - self._start[0]
        return self.elapsed + running >= self._seconds or now >= self._deadline

    def _is_over(self) -> bool:
        late = self._clock() >= self._deadline
        return self.elapsed >= self._seconds or (late and self.steps > 0)

    def _stop(self, steps: int) -> None:
        self._wait()
        start, before = self._start or (0.0, 0)
        self.elapsed += self._clock() - start
        self.steps += steps - before
        self._start = None
        if self._whole_epochs or self._is_over():
            self.model.stop_training = True

    def _wait(self) -> None:
        """Wait until the device has finished."""
        wait_for(self.model.trainable_variables or self.model.variables)
