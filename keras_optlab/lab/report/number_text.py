"""Numbers as text: figures, durations, counts."""

from __future__ import annotations

import math
from collections.abc import Sequence


def figure(x: float | None, digits: int = 3) -> str:
    """Return a number with a few significant digits; `"-"` if there is none.

    >>> [figure(x) for x in (1234.5, 243.0, 0.98, 0.00012, 2e-7, None)]
    ['1,234', '243', '0.98', '0.00012', '2e-7', '-']
    >>> figure(0.98125, digits=4)
    '0.9812'
    """
    if x is None or not math.isfinite(x):
        return "-"
    if abs(x) >= 10 ** (digits - 1):
        return f"{x:,.0f}" if abs(x) < 1e6 else _power(x, digits)
    if x and abs(x) < 1e-4:
        return _power(x, digits)
    return f"{x:.{digits}g}"


def _power(x: float, digits: int) -> str:
    mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}"


def duration(seconds: float, longest: float | None = None) -> str:
    """Return a time in a unit that suits it, or the longest of those it stands with.

    >>> [duration(s) for s in (0.4, 42, 750, 9000)], duration(42, longest=750)
    (['0.4 s', '42 s', '12.5 min', '2.5 h'], '0.7 min')
    """
    longest = seconds if longest is None else longest
    unit, size = next((u, s) for u, s, most in UNITS if longest < most)
    return f"{figure(seconds / size)} {unit}"


UNITS = (("s", 1, 120.0), ("min", 60, 7200.0), ("h", 3600, math.inf))


def median(values: Sequence[float | None]) -> float | None:
    """Return the median of the values that are known; `None` if none is.

    >>> median([3.0, None, 1.0]), median([])
    (2.0, None)
    """
    known = sorted(v for v in values if v is not None)
    if not known:
        return None
    middle = len(known) // 2
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return names as people list them.

    >>> listed(["adam"]), listed(["adam", "lion", "sgd"]), listed(list("abcd"), most=2)
    ('adam', 'adam, lion and sgd', 'a, b and 2 others')
    """
    names = list(names)
    if len(names) > most + 1:
        names = [*names[:most], f"{len(names) - most} others"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def capital(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]


def counted(number: int, noun: str) -> str:
    """Return a number and a noun: `1 trial`, `2 trials`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
