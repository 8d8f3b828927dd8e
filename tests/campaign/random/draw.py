"""Random choices from a seed."""

from __future__ import annotations

import math
import random
from typing import Any

from keras_optlab.core.fields import (
    BetaField,
    ChoiceField,
    Field,
    FlagField,
    HyperField,
)


class Draw:
    """Choices that depend on a seed alone.

    Args:
        seed: The seed.
    """

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def one(self, items: Any) -> Any:
        return self.random.choice(list(items))

    def some(self, items: Any, most: int) -> list[Any]:
        """Return up to `most` different items, in a random order."""
        items = list(items)
        return self.random.sample(items, self.random.randint(0, min(most, len(items))))

    def shuffled(self, items: Any) -> list[Any]:
        items = list(items)
        return self.random.sample(items, len(items))

    def log(self, low: float, high: float) -> float:
        """Return a number, spread evenly on the logarithmic axis."""
        exponent = self.random.uniform(math.log(low), math.log(high))
        return float(f"{math.exp(exponent):.3g}")

    def value(self, field: Field, searched: Any = None) -> Any:
        """Return a legal value for an argument; its default if there is no other.

        Args:
            field: The declared argument.
            searched: The values that the lab searches, if there are any.
        """
        if searched is not None and self.chance(0.5):
            return searched.at(self.random.random())
        if isinstance(field, FlagField):
            return self.chance(0.5)
        if isinstance(field, ChoiceField):
            return self.one(field.choices)
        if not isinstance(field, HyperField):
            return field.default
        return next(filter(field.holds, self._numbers(field)), field.default)

    def _numbers(self, field: HyperField) -> list[float]:
        """Return candidates around the default."""
        default = field.default
        if isinstance(field, BetaField) and default:
            rest = (1 - default) * 10 ** self.random.uniform(-0.5, 0.7)
            return [float(f"{1 - rest:.6g}")]
        if field.integer:
            return [self.one((1, 2, 3, 5, 20, default or 1))]
        if default:
            return [float(f"{default * 10 ** self.random.uniform(-1, 1):.3g}")]
        return [float(f"{self.random.uniform(0, 0.9):.3g}"), 1.02, 0.5]
