"""Counters of skipped steps, written inside the compiled step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.keras_adapter import concrete
from keras_optlab.engine.backend.variables import Pairs, read


class Skips:
    """The counters of skipped steps.

    Args:
        add_counter: Creates a counter from its name.

    Attributes:
        total: Number of all skipped steps.
        run: Length of the last run of consecutive skipped steps.
        updates: Number of updates before this run.
    """

    def __init__(self, add_counter: Callable[[str], Variable]) -> None:
        self.total = add_counter("skipped_steps")
        self.run = add_counter("skipped_run")
        self.updates = add_counter("updates_before_skipped_run")

    @property
    def variables(self) -> list[Variable]:
        """The counters."""
        return [self.total, self.run, self.updates]

    def skip(self, done: Tensor) -> Pairs:
        """Return the next values after a skipped step.

        Args:
            done: Number of updates so far.
        """
        goes_on = ops.cast(read(self.updates) == done, self.run.dtype)
        run = read(self.run) * goes_on
        return [
            (self.total, read(self.total) + 1),
            (self.run, run + 1),
            (self.updates, done),
        ]

    def skip_unless(self, good: Tensor | int, done: Tensor) -> Pairs:
        """Return the next values after a step; `good` is 1, or 0 if it was skipped."""
        total, run, updates = self.skip(done)
        return [
            (self.total, total[1] - good),
            (self.run, run[1] * (1 - good)),
            updates,
        ]


@dataclass(frozen=True)
class Skipped:
    """The number of steps that an optimizer has skipped so far.

    Attributes:
        steps: Number of all steps (micro-batches).
        total: Number of skipped steps.
        run: Number of skipped steps since the last good one.
    """

    steps: int
    total: int
    run: int

    @classmethod
    def of(
        cls, optimizer: Any, read: Callable[[Variable], Any] = concrete
    ) -> Skipped | None:
        """Read the counters; `None` in a trace, or while JAX' trainer holds them.

        Args:
            optimizer: The optimizer.
            read: Returns the value of a variable, or `None`.
        """
        skips = optimizer.skips
        counters = skips.total, skips.run, skips.updates, optimizer.updates
        values = [read(v) for v in counters]
        if any(x is None for x in values):
            return None
        total, run, before, updates = map(int, values)
        if optimizer.accumulates and optimizer.built:
            steps = int(read(optimizer.window.received))
        else:
            steps = updates + total
        return cls(steps, total, run if before == updates else 0)
