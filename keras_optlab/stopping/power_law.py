"""A robust fit of a power law to a curve of values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

EXPONENTS = np.geomspace(0.01, 20.0, 150)  # searched for the best c
REWEIGHTINGS = 10
HUBER = 1.345  # residuals beyond this many standard deviations count less
CONFIDENCE = 4.0  # square of the two standard deviations between c and `lowest_c`
EXACT = 1e-6  # a misfit below this part of the fall is rounding


@dataclass(frozen=True)
class PowerLaw:
    """A curve f(t) = a + b · t^−c through positions `first` to `last`.

    Attributes:
        a: the value that the curve approaches.
        b: factor of the power; > 0 if the curve falls.
        c: exponent; > 0.
        lowest_c: lowest exponent that fits the values nearly as well: two standard
            deviations below `c`.
        noise: robust standard deviation of the values around the curve.
        drift: how far the newer half of the values drifts away from the curve, in
            standard errors of a fitted line.
        first: first position; > 0.
        last: last position.
    """

    a: float
    b: float
    c: float
    lowest_c: float
    noise: float
    drift: float
    first: float
    last: float

    @property
    def fall(self) -> float:
        """How far the curve has fallen from the first to the last position."""
        return self.b * (self.first**-self.c - self.last**-self.c)

    def share(self, horizon: float, c: float | None = None) -> float:
        """Return the further fall up to `horizon * last`, as a part of `fall`."""
        c = self.c if c is None else c
        begin = math.expm1(c * math.log(self.last / self.first))
        return -math.expm1(-c * math.log(horizon)) / begin


def fit_power_law(positions: np.ndarray, values: np.ndarray) -> PowerLaw:
    """Fit a + b · t^−c to four or more values by Huber's robust regression.

    For a given c, the other two are a linear regression; c is searched. Values far from
    the curve get less weight, by the spread of all.

    >>> t = np.arange(1.0, 9.0)
    >>> law = fit_power_law(t, 1 + 4 / t)
    >>> round(law.a, 6), round(law.b, 6), round(law.c, 6)
    (1.0, 4.0, 1.0)

    Args:
        positions: increasing, > 0.
        values: one value for each position, finite.
    """
    t, y = np.asarray(positions, "float64"), np.asarray(values, "float64")
    ages = np.log(t[-1] / t)  # 0 at the last position
    weights = np.ones_like(y)
    for _ in range(REWEIGHTINGS):
        errors, residuals, _ = _regress(EXPONENTS, ages, y, weights)
        size = np.abs(residuals[np.argmin(errors)])
        allowed = HUBER * 1.4826 * np.median(size)
        weights = np.minimum(1.0, allowed / np.maximum(size, allowed or 1.0))
        if not allowed:
            break
    c, least = _search(ages, y, weights)
    _, residuals, (end, fall) = _regress(np.array([c]), ages, y, weights)
    most = least * (1 + CONFIDENCE / max(1, len(y) - 3))
    begin = math.expm1(c * ages[0])
    return PowerLaw(
        a=float(end[0] - fall[0] / begin),
        b=float(fall[0] / begin * t[-1] ** c),
        c=c,
        lowest_c=_lowest(c, most, ages, y, weights),
        noise=float(1.4826 * np.median(np.abs(residuals[0]))),
        drift=_drift(t, residuals[0], abs(fall[0])),
        first=float(t[0]),
        last=float(t[-1]),
    )


def _regress(
    c: np.ndarray, ages: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Regress y on the power for each c: squared errors, residuals, (end, fall).

    The power is scaled to 1 at the first position and 0 at the last one, so that the
    regression is well conditioned for every c.
    """
    power = np.expm1(np.outer(c, ages)) / np.expm1(c * ages[0])[:, None]
    total = weights.sum()
    mean_x, mean_y = power @ weights / total, y @ weights / total
    x = power - mean_x[:, None]
    fall = x @ (weights * (y - mean_y)) / (x**2 @ weights)
    end = mean_y - fall * mean_x
    residuals = y - end[:, None] - fall[:, None] * power
    return residuals**2 @ weights, residuals, (end, fall)


def _search(
    ages: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """Return the best exponent and its squared error, on grids that get finer."""
    grid, found = EXPONENTS, (1.0, math.inf)
    for _ in range(8):
        errors, *_ = _regress(grid, ages, y, weights)
        best = int(np.argmin(errors))
        ends = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
        found = float(grid[best]), float(errors[best])
        grid = np.geomspace(*ends, 25)
    return found


def _lowest(
    c: float, most: float, ages: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> float:
    """Return the lowest exponent below c whose squared error is at most `most`."""
    low, high = float(EXPONENTS[0]), c
    for _ in range(3):
        grid = np.geomspace(low, high, 100)
        errors, *_ = _regress(grid, ages, y, weights)
        outside = np.flatnonzero(errors[:-1] > most)
        if not len(outside):
            return low
        low, high = float(grid[outside[-1]]), float(grid[outside[-1] + 1])
    return low


def _drift(t: np.ndarray, residuals: np.ndarray, fall: float) -> float:
    """Return the slope of the newer residuals in standard errors."""
    newer = len(t) // 2
    x, r = np.log(t[newer:]), residuals[newer:]
    x, r = x - x.mean(), r - r.mean()
    slope = x @ r / (x @ x)
    if np.abs(slope * x).max() < EXACT * fall:
        return 0.0
    error = math.sqrt(np.sum((r - slope * x) ** 2) / max(1, len(x) - 2) / (x @ x))
    return math.inf if error == 0 else abs(slope) / error
