"""Smoothing of the losses of a run, and its end where they diverge."""

from __future__ import annotations

import math

import numpy as np

BETA = 0.8  # averages about 9 losses; 0.9 would lag by almost a decade of the rate
START = 10  # losses that make the start of a run


class Smoothed:
    r"""Exponential moving average with bias correction, which notices divergence.

    $$m_t = \beta m_{t-1} + (1 - \beta) l_t, \qquad s_t = m_t / (1 - \beta^t)$$
    """

    def __init__(self) -> None:
        self._mean, self._steps = 0.0, 0
        self._first = self._best = math.inf

    def add(self, loss: float) -> float:
        """Add a loss; return the average."""
        self._steps += 1
        self._mean = BETA * self._mean + (1 - BETA) * loss
        now = self._mean / (1 - BETA**self._steps)
        self._first = now if self._steps <= START else self._first
        self._best = min(self._best, now)
        return now

    def has_diverged(self, now: float) -> bool:
        """Return whether the average is not finite, or far above its start."""
        rise = max(self._first - self._best, abs(self._first))
        far = self._steps > START and now > self._first + rise
        return far or not math.isfinite(now)


def smooth(losses: np.ndarray) -> np.ndarray:
    """Return the average at each loss of a run."""
    mean = Smoothed()
    return np.array([mean.add(float(x)) for x in losses])
