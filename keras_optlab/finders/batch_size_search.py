"""The order in which batch sizes are run, and which one is chosen."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_optlab.engine.backend.memory import Memory, is_out_of_memory
from keras_optlab.finders.data import Arrays
from keras_optlab.finders.trials import Bench, Trial, in_a_line

FEWEST_STEPS = 16  # in the data for one size, if there are enough
FEWEST_EXECUTIONS = 4
EXAMPLES = 4096  # in the data for small sizes
GAIN = 0.05  # of throughput, by which doubling is worth going on
ROUNDS = 5  # in which sizes near the knee are measured
NEAR = 0.8  # of the throughput at the knee
VERIFIED = 10  # steps at the chosen size


@dataclass(eq=False)
class Size:
    """A batch size, with what was measured.

    Attributes:
        batch_size: Examples in a step.
        trial: Its times.
        peak: Bytes of memory at the peak, `None` if they are not known.
        note: Why it is not proposed, or `""`.
    """

    batch_size: int
    trial: Trial
    peak: int | None = None
    note: str = ""

    @property
    def throughput(self) -> float:
        """Examples per second; 0 if the size did not run."""
        return 0.0 if self.note else self.batch_size / self.trial.step_seconds


class BatchSizeSearch:
    """Runs batch sizes, and chooses the one at the knee.

    Args:
        bench: Runs the trials.
        data: The data.
        memory: Where the model's variables are.
        limit: Share of the memory that may be used, or bytes.
        tolerance: Share of the highest throughput to give up.

    Attributes:
        sizes: All sizes, by their batch size.
        memory: Where the model's variables are.
        tolerance: As given.
        chosen: The size at the knee, which ran several more steps at the end.
    """

    def __init__(
        self, bench: Bench, data: Arrays, memory: Memory, limit: float, tolerance: float
    ) -> None:
        self._bench, self._data, self._limit = bench, data, limit
        self.memory, self.tolerance = memory, tolerance
        self.sizes: dict[int, Size] = {}
        memory.restart()
        self._base = memory.used() or 0

    def run(self, smallest: int, largest: int) -> None:
        """Run sizes between the smallest and the largest, and choose one.

        Raises:
            MemoryError: if no size runs.
        """
        self._ascend(smallest, largest)
        n = smallest
        while not self._ran() and n > 1:
            n //= 2
            self._measure(self._size(n))
        if self._ran():
            self._measure_near_ones_again()
        self.chosen = self._verified()

    def _ran(self) -> list[Size]:
        """Return the sizes that ran, ascending."""
        sizes = sorted(self.sizes.values(), key=lambda s: s.batch_size)
        return [s for s in sizes if s.trial.times and not s.note]

    def _size(self, n: int) -> Size:
        model = self._bench.model
        steps = max(
            FEWEST_STEPS, FEWEST_EXECUTIONS * model.steps_per_execution, EXAMPLES // n
        )
        part = self._data.first(min(self._data.size // n, steps) * n)
        trial = Trial(
            bool(model.jit_compile),
            model.steps_per_execution,
            {**part, "batch_size": n},
        )
        self.sizes[n] = Size(n, trial)
        return self.sizes[n]

    def _ascend(self, n: int, largest: int) -> None:
        best: list[float] = []  # highest throughput so far, after each size
        while n <= largest:
            ran = self._ran()
            size = self._size(n)
            size.note = self._too_much(size, ran[-1]) if ran else ""
            if size.note or not self._measure(size):
                return
            best.append(max([size.throughput, *best[-1:]]))
            if len(best) > 2 and best[-1] < (1 + GAIN) * best[-3]:
                return
            n *= 2

    def _too_much(self, size: Size, before: Size) -> str:
        """Return why a size should not be run, or `""`."""
        times = size.batch_size / before.batch_size
        needed = times * before.trial.step_seconds
        needed *= (FEWEST_EXECUTIONS + 1) * size.trial.steps_per_execution
        if needed > self._bench.left():
            return "not run: no time left"
        total, peak = self.memory.total(), before.peak
        limit = self._limit if self._limit > 1 else self._limit * (total or 0)
        if peak is None or not limit:
            return ""
        expected = self._base + times * max(peak - self._base, 0)
        if expected <= limit:
            return ""
        return f"not run: {in_gib(expected)} expected, limit {in_gib(limit)}"

    def _measure(self, size: Size) -> bool:
        """Run a size for a sample; return whether that worked."""
        self.memory.restart()
        worked = self._attempt(size, lambda: self._bench.sample(size.trial))
        if worked:
            peaks = [x for x in (size.peak, self.memory.peak()) if x is not None]
            size.peak = max(peaks, default=None)
        return worked

    def _attempt(self, size: Size, run: Callable[[], Any]) -> bool:
        """Run a size, note if that ran out of memory, and return whether it worked."""
        try:
            run()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            size.note = f"out of memory: {in_a_line(error, 60)}"
        if size.note:  # the error and its frames are gone only here
            size.trial.train_function = self._bench.model.train_function = None
            gc.collect()
            self.memory.restart()
        elif not size.trial.times:
            size.note = "not run: no time left"
        return not size.note

    def _measure_near_ones_again(self) -> None:
        """Measure sizes of high throughput in rounds, which a busy machine needs."""
        least = NEAR * (1 - self.tolerance) * max(s.throughput for s in self._ran())
        near = [s for s in self._ran() if s.throughput >= least]
        for turn in range(ROUNDS if len(near) > 1 else 0):
            for size in near[turn % len(near) :] + near[: turn % len(near)]:
                executions = FEWEST_EXECUTIONS * size.trial.steps_per_execution
                if executions * size.trial.step_seconds > self._bench.left():
                    return
                if not self._measure(size):
                    return

    def _verified(self) -> Size:
        """Return the size at the knee, or a smaller one, that runs several steps."""
        while ran := self._ran():
            size = self._knee(ran)
            steps = max(self._steps(size), 1)
            epochs = -(-VERIFIED // steps)
            again = functools.partial(self._bench.fit, size.trial, epochs)
            if self._attempt(size, again):
                return size
            for other in ran:  # larger ones would fail too
                if other.batch_size > size.batch_size and not other.note:
                    other.note = "a smaller size ran out of memory later"
        notes = "; ".join(f"{s.batch_size}: {s.note}" for s in self.sizes.values())
        raise MemoryError(
            f"No batch size could be run. Received: {notes}. Use a smaller model or "
            "smaller inputs, mixed precision, or a device with more memory."
        )

    def _steps(self, size: Size) -> int:
        data = size.trial.fit_arguments
        return Arrays(data["x"]).size // size.batch_size

    def _knee(self, ran: list[Size]) -> Size:
        """Return the smallest size with nearly the highest throughput."""
        enough = (1 - self.tolerance) * max(s.throughput for s in ran)
        return next(s for s in ran if s.throughput >= enough)


def in_gib(size: float) -> str:
    """Return a number of bytes as text."""
    return f"{size / 2**30:.2f} GiB"
