"""`Scale`: where numbers stand in a chart, and which are written at its edge."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from keras_optlab.lab.report.number_text import figure

STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Scale:
    """An axis.

    Attributes:
        low: The number at `start`.
        high: The number at `end`; > `low`.
        start: Position in the drawing.
        end: Position in the drawing.
        log: Whether equal ratios, not equal differences, are equally far apart.
        shown: Returns a number as text.

    >>> scale = Scale(1, 100, 0, 200, log=True)
    >>> scale.at(10), scale.at(1e9), [text for _, text in scale.ticks(3)]
    (100.0, 200.0, ['1', '10', '100'])
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    shown: Callable[[float], str] = figure

    def at(self, x: float) -> float:
        """Return the position of a number; beyond an end, that of the end."""
        low, high, x = (self._measured(v) for v in (self.low, self.high, x))
        share = min(max((x - low) / (high - low), 0.0), 1.0)
        return round(self.start + share * (self.end - self.start), 1)

    def _measured(self, x: float) -> float:
        return math.log(max(x, 1e-300)) if self.log else x

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return at most so many round numbers between the ends, and their texts."""
        found: list[float] = []
        if self.log:
            found = _log_ticks(self.low, self.high, most)
        if len(found) < 2:
            found = _even_ticks(self.low, self.high, most)
        return [(x, self.shown(x)) for x in found]


def scale_of(
    values: Iterable[float],
    start: float,
    end: float,
    *,
    log: bool = False,
    shown: Callable[[float], str] = figure,
) -> Scale:
    """Return a scale on which all values have a place, with a little room around."""
    known = [v for v in values if math.isfinite(v) and (v > 0 or not log)] or [1.0]
    low, high = min(known), max(known)
    if log:
        room = max((high / low) ** 0.06, 1.05)
        return Scale(low / room, high * room, start, end, True, shown)
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return Scale(low - room, high + room, start, end, False, shown)


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps, every in ((STEPS, 1), ((1, 3), 1), *(((1,), k) for k in range(1, 99))):
        ticks = [s * 10.0**d for d in decades for s in steps if d % every == 0]
        inside = [t for t in ticks if low <= t * (1 + 1e-9) and t <= high * (1 + 1e-9)]
        if len(inside) <= most:
            return inside
    return []


def _even_ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (*STEPS, 10) if s * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]
