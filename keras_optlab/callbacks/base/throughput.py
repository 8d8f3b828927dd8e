"""Speed of a training and memory that it needs, between two points."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras

from keras_optlab.engine.backend.memory import Memory, memory_of


class Throughput:
    """Steps and examples per second since the last measurement.

    >>> seconds = iter([10.0, 14.0])
    >>> throughput = Throughput(clock=lambda: next(seconds))
    >>> throughput.measure(steps=1, examples=32, beside=0.0)
    {}
    >>> throughput.measure(steps=9, examples=288, beside=2.0)
    {'throughput/steps_per_second': 4.0, 'throughput/examples_per_second': 128.0}

    Args:
        clock: Returns the current time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._last: tuple[float, int, float | None] | None = None

    def measure(
        self, steps: int, examples: float | None, beside: float
    ) -> dict[str, float]:
        """Return the tags; none at the first call, and if there are no new steps.

        Args:
            steps: Steps so far.
            examples: Examples so far, `None` if that is not known.
            beside: Seconds so far in which nothing was trained.
        """
        now = self._clock() - beside
        last, self._last = self._last, (now, steps, examples)
        if last is None or steps <= last[1] or now <= last[0]:
            return {}
        seconds = now - last[0]
        tags = {"throughput/steps_per_second": (steps - last[1]) / seconds}
        if examples is not None and last[2] is not None and examples > last[2]:
            tags["throughput/examples_per_second"] = (examples - last[2]) / seconds
        return tags


class ExampleCount:
    """Number of examples in a `fit`, as Keras counts them for the mean of the loss.

    A custom `train_step` may count something else, so nothing is known there.
    """

    def __init__(self) -> None:
        self._before = 0.0  # of earlier epochs
        self._ended = True

    def begin_epoch(self) -> None:
        """Expect the loss to count from 0."""
        self._ended = False

    def end_epoch(self, model: Any) -> None:
        """Keep the count of an epoch, before a validation resets it."""
        if not self._ended:
            self._before += _counted(model) or 0.0
            self._ended = True

    def total(self, model: Any) -> float | None:
        """Return the number of examples so far, `None` if it is not known."""
        now = _counted(model)
        if now is None:
            return None
        return self._before + (0.0 if self._ended else now)


def _counted(model: Any) -> float | None:
    if type(model).train_step is not keras.Model.train_step:
        return None
    for metric in model.metrics:
        count = getattr(metric, "count", None)
        if metric.name == "loss" and count is not None:
            return float(keras.ops.convert_to_numpy(count))
    return None


class PeakMemory:
    """The largest memory that was in use since the process began, in bytes."""

    def __init__(self) -> None:
        self._memory: Memory | None = None

    def measure(self, model: Any) -> dict[str, float]:
        """Return the tag: of the device if the backend knows, else of the process."""
        if self._memory is None and model.variables:
            self._memory = memory_of(model.variables[0])
        peak = self._memory.peak() if self._memory is not None else None
        return {} if peak is None else {"throughput/memory": float(peak)}
