"""Scalars that are held back while nothing happens to them."""

from __future__ import annotations

import math
from collections.abc import Mapping

Points = dict[int, dict[str, float]]

# Tags, and prefixes that end in "/", of values that are not drawn while 0.
WHILE_ZERO = (
    "weight_dead_units/",
    "optimizer/clipped_fraction",
    "optimizer/skipped_fraction",
    "optimizer/skipped_steps",
    "spikes/",
)
WHILE_CONSTANT = (
    "hyperparameter/",
    "optimizer/learning_rate",
    "optimizer/learning_rate/",
)
# Tags that are not drawn while equal to another.
WHILE_EQUAL = {"optimizer/gradient_norm_clipped": "optimizer/gradient_norm"}


class Constants:
    """Filter of scalars: a value that says nothing is held back until it does.

    A learning rate is held back while it is constant, a count or a share while it is 0,
    and the norm of the clipped gradient while it is that of the gradient. When such a
    value speaks, it is returned with the points that were held back, as far as a chart
    needs them: the first one and the last one. From then on it is always returned. A
    hyperparameter that comes later than others was changed, and is returned at once.

    >>> constants, rate = Constants(), "optimizer/learning_rate"
    >>> constants.drawn({1: {rate: 0.1}}), constants.drawn({2: {rate: 0.1}})
    ({}, {})
    >>> constants.drawn({3: {rate: 0.1}, 4: {rate: 0.05}})
    {1: {'optimizer/learning_rate': 0.1}, 3: {'optimizer/learning_rate': 0.1},
     4: {'optimizer/learning_rate': 0.05}}
    """

    def __init__(self) -> None:
        self.shown: set[str] = set()
        self.held: dict[str, list[tuple[int, float]]] = {}  # the first and the last
        self.begin: int | None = None  # position of the first hyperparameter

    def drawn(self, points: Mapping[int, Mapping[str, float]]) -> Points:
        """Return the points to draw, by position in ascending order."""
        result: Points = {}
        for position, tags in points.items():
            for tag, number in tags.items():
                value = float(number)
                if tag not in self.shown and self._is_quiet(tag, value, position, tags):
                    self.held[tag] = [*self.held.get(tag, [])[:1], (position, value)]
                    continue
                if tag not in self.shown:
                    self.shown.add(tag)
                    for before, old in self._kept(tag):
                        result.setdefault(before, {})[tag] = old
                result.setdefault(position, {})[tag] = value
        return dict(sorted(result.items()))

    def _is_quiet(
        self, tag: str, value: float, position: int, tags: Mapping[str, float]
    ) -> bool:
        if tag in WHILE_EQUAL:
            other = tags.get(WHILE_EQUAL[tag], value)
            return value == other or math.isnan(value) and math.isnan(other)
        if _is_among(tag, WHILE_ZERO):
            return value == 0
        if _is_among(tag, WHILE_CONSTANT):
            if self.begin is None:
                self.begin = position
            held = self.held.get(tag)
            return position == self.begin if held is None else value == held[0][1]
        return False

    def _kept(self, tag: str) -> list[tuple[int, float]]:
        """Return the points that a chart needs of those that were held back."""
        held = self.held.pop(tag, [])
        same = len({value for _, value in held}) <= 1
        return held if same else held[-1:]


def _is_among(tag: str, names: tuple[str, ...]) -> bool:
    return any(tag == x or x.endswith("/") and tag.startswith(x) for x in names)
