"""What the losses of a range test say: its noise, its knee, and a range of values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_optlab.finders.smoothing import BETA, START, smooth

FALLEN = 0.8  # share of the fall that is done at the knee
BELOW, ABOVE = 1 / 9, 3.3  # ends of the range, over the knee
SURE = 4.0  # standard errors that a fall must have
LIKELY = 2.0  # the same for one of several runs
ROUNDING = 1e-5  # share of the loss that rounding in float32 may change
NEAR = 5  # steps on either side from which the noise is measured


@dataclass(frozen=True)
class Curve:
    """The mean smoothed loss of some runs over the values of a range test.

    Attributes:
        values: The values, up to the divergence.
        losses: The mean of the runs' smoothed losses, after the update with each value.
        start: Mean of the first losses, before smoothing.
        error: The standard error of `start - losses`.
        diverges: Whether the loss rose above its start again, or was not finite.
    """

    values: np.ndarray
    losses: np.ndarray
    start: float
    error: np.ndarray
    diverges: bool

    @classmethod
    def of(cls, values: np.ndarray, runs: Sequence[np.ndarray]) -> Curve:
        """Return the curve of runs, of which each may end early.

        Args:
            values: All values of the range test.
            runs: The losses of each run.
        """
        length = min(_finite(run) for run in runs)
        if length < 3:
            nothing = np.empty(0)
            return cls(nothing, nothing, math.nan, nothing, True)
        raw = np.array([run[:length] for run in runs])
        losses = np.mean([smooth(run) for run in raw], axis=0)
        first = raw[:, :START]
        start = float(np.mean(first))
        shrunk = BETA ** np.arange(1.0, length + 1)
        weights = (1 - BETA) / (1 + BETA) * (1 + shrunk) / (1 - shrunk)
        error = _noise(raw) * np.sqrt((weights + 1 / first.shape[1]) / len(raw))
        error += ROUNDING * abs(start)
        end = _rise(losses, start, error)
        early = length < len(values)
        return cls(
            values[:end], losses[:end], start, error[:end], early or end < length
        )

    @property
    def lowest(self) -> int:
        """Position of the lowest loss."""
        return int(np.argmin(self.losses))

    def falls(self, errors: float = SURE) -> bool:
        """Return whether the loss fell by more than so many standard errors."""
        return bool(np.any(self.start - self.losses > errors * self.error))

    @property
    def knee(self) -> int:
        """Position at which the loss has first made most of its fall."""
        fall = self.start - self.losses[self.lowest]
        return int(np.argmax(self.losses <= self.start - FALLEN * fall))


def _finite(run: np.ndarray) -> int:
    """Return the number of losses before one is not finite."""
    bad = np.flatnonzero(~np.isfinite(run))
    return int(bad[0]) if len(bad) else len(run)


def _noise(raw: np.ndarray) -> np.ndarray:
    """Return the standard deviation of one loss near each step, or at the start.

    It is taken from second differences of successive losses, in which a trend hardly
    shows. The noise of a step is at least that of the first steps.
    """
    squares = np.mean(np.diff(raw, n=2, axis=1) ** 2, axis=0) / 6
    squares = np.pad(squares, 1, "edge")
    near = [
        np.mean(squares[max(i - NEAR, 0) : i + NEAR + 1]) for i in range(len(squares))
    ]
    return np.sqrt(np.maximum(near, np.mean(squares[:START])))


def _rise(losses: np.ndarray, start: float, error: np.ndarray) -> int:
    """Return where the loss, once it has fallen, is above its start again."""
    fallen = np.cumsum(start - losses > SURE * error) > 0
    above = np.flatnonzero(fallen & (losses > start))
    return int(above[0]) if len(above) else len(losses)


def overlap(ranges: Sequence[tuple[float, float]]) -> float:
    """Return the length common to all ranges over that of their union, in logarithms.

    >>> overlap([(1, 100), (10, 1000)])
    0.333...
    >>> overlap([(1, 2), (4, 8)])
    0.0
    """
    lows, highs = np.log(np.array(ranges)).T
    common = min(highs) - max(lows)
    return float(max(common, 0.0) / (max(highs) - min(lows)))
