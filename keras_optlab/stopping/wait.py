"""The wait since a value last improved."""

from __future__ import annotations

import math


class Wait:
    """The wait since a value last improved.

    A value improves if it is better than the best so far by more than `min_delta`. NaN
    never improves. The unit of the wait is the unit of the positions that `update`
    receives: epochs, steps or seconds.

    >>> wait = Wait("min", 2)
    >>> values = 1.0, 0.5, float("nan"), 0.6
    >>> [wait.update(value, epoch) for epoch, value in enumerate(values, 1)]
    [True, True, False, False]
    >>> wait.best, wait.waited, wait.exhausted
    (0.5, 2, True)

    Args:
        mode: `"min"` if a lower value is better, `"max"` if a higher one is.
        limit: length without improvement that exhausts the wait; >= 0.
        min_delta: an improvement by this much or less does not count; >= 0.
        start: position at which the wait begins.
    """

    def __init__(
        self, mode: str, limit: float, min_delta: float = 0.0, start: float = 0
    ) -> None:
        self.sign = 1 if mode == "max" else -1
        self.limit, self.min_delta = limit, min_delta
        self.best = -self.sign * math.inf
        self._now = self._since = self._cool = start

    def update(self, value: float, now: float) -> bool:
        """Record the value at position `now`; return whether it is an improvement."""
        improved = self.sign * (value - self.best) > self.min_delta
        if improved:
            self.best = value
        if improved or now < self._cool:
            self._since = now
        self._now = now
        return improved

    def restart(self, cooldown: float = 0) -> None:
        """Restart the wait at the last value, or at the last one in the cooldown."""
        self._since = self._now
        self._cool = self._now + cooldown

    @property
    def waited(self) -> float:
        """Distance of the last value from the last improvement or restart."""
        return self._now - self._since

    @property
    def exhausted(self) -> bool:
        """Whether the wait is positive and has reached `limit`."""
        return 0 < self.waited >= self.limit
