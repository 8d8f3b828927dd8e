"""What differs between a saved training and the one that would go on with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SHOWN = 3  # differences in a message


def layout_differences(saved: dict[str, list[Any]], now: dict[str, list[Any]]) -> str:
    """Return how variables differ in number, shape or type, or `""` if they do not.

    Args:
        saved: Path, shape and type of each variable, by kind.
        now: The same of the present training.
    """
    for kind in dict.fromkeys([*saved, *now]):
        before, after = saved.get(kind, []), now.get(kind, [])
        found = [
            f"{b[0]} with shape {b[1]} and type {b[2]}, which had {a[1]} and {a[2]}"
            for a, b in zip(before, after, strict=False)
            if a[1:] != b[1:]
        ]
        if len(before) != len(after):
            found.insert(0, f"{kind}: {len(after)} variables, which were {len(before)}")
        if found:  # others follow from it
            return _joined(found)
    return ""


def optimizer_differences(saved: list[Any], now: list[Any]) -> str:
    """Return which optimizers are of other classes, or `""` if none is."""
    before, after = ([x["class"] for x in xs] for xs in (saved, now))
    if before == after:
        return ""
    return f"{' and '.join(after) or 'none'}, which was {' and '.join(before)}"


def setting_differences(saved: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the settings that differ, each as text.

    >>> setting_differences({"patience": 3, "mode": "min"}, {"patience": 5, "new": 1})
    ['patience=5, which was 3']
    """
    return [
        f"{k}={now[k]!r}, which was {saved[k]!r}"
        for k in saved
        if k in now and not _same(saved[k], now[k])
    ]


def _same(x: Any, y: Any) -> bool:
    try:
        return bool(x == y)
    except ValueError:  # arrays
        return True


def _joined(found: Iterable[str]) -> str:
    found = list(found)
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more
