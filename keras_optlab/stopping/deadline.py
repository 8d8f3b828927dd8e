"""A deadline for a training."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """A deadline, in seconds from the construction of this object.

    >>> now = 0.0
    >>> deadline = Deadline(60, clock=lambda: now)
    >>> deadline.passed
    False
    >>> now = 61.0
    >>> deadline.passed, deadline.elapsed
    (True, 61.0)

    Args:
        seconds: time until the deadline; `None` is no deadline.
        clock: returns the current time in seconds.
    """

    def __init__(
        self, seconds: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds, self.clock = seconds, clock
        self.start = clock()

    @property
    def elapsed(self) -> float:
        """Seconds since construction."""
        return self.clock() - self.start

    def get_state(self) -> dict[str, float]:
        """Return the seconds that have passed: clocks differ between processes."""
        return {"elapsed": self.elapsed}

    def set_state(self, state: dict[str, float]) -> None:
        """Continue from the result of `get_state`."""
        self.start = self.clock() - state["elapsed"]

    @property
    def passed(self) -> bool:
        """Whether the deadline has passed."""
        return self.seconds is not None and self.elapsed >= self.seconds
