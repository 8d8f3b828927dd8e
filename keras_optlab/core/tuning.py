"""How an optimizer is tuned: what to search, and when to use it at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keras_optlab.core.arguments import choice, flag, number
from keras_optlab.core.errors import shown

SCHEDULES = ("one_cycle", "cosine", "constant")


@dataclass(frozen=True)
class LogUniform:
    """Numbers between two ends, spread evenly on the logarithmic axis.

    Attributes:
        low: Smallest value; > 0.
        high: Largest value; > `low`.
        integer: Whether values are rounded to integers.

    >>> LogUniform(1e-4, 1e-2).at(0.5)
    0.001
    """

    low: float
    high: float
    integer: bool = False

    def __post_init__(self) -> None:
        number("low", self.low, "> 0", "smallest value")
        number("high", self.high, f"> {self.low}", "largest value")
        flag("integer", self.integer)

    def at(self, share: float) -> float:
        """Return the value at a share in [0, 1] of the way from `low` to `high`."""
        value = self.low ** (1 - share) * self.high**share
        return round(value) if self.integer else float(f"{value:.4g}")


@dataclass(frozen=True)
class Uniform:
    """Numbers between two ends, spread evenly.

    Attributes:
        low: Smallest value.
        high: Largest value; > `low`.

    >>> Uniform(0.8, 1.0).at(0.5)
    0.9
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        number("low", self.low, "(-inf, inf)", "smallest value")
        number("high", self.high, f"> {self.low}", "largest value")

    def at(self, share: float) -> float:
        """Return the value at a share in [0, 1] of the way from `low` to `high`."""
        return float(f"{self.low + share * (self.high - self.low):.4g}")


@dataclass(frozen=True)
class Choices:
    """Some values, all tried as often.

    Attributes:
        values: The values: numbers, strings, booleans or `None`.

    >>> Choices(("moonlight", "jordan")).at(0.7)
    'jordan'
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple) or not self.values:
            raise ValueError(
                "expected a tuple with at least one value. "
                f"Received: values={shown(self.values)}"
            )

    def at(self, share: float) -> Any:
        """Return the value at a share in [0, 1] of the way through them."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]


Domain = LogUniform | Uniform | Choices


def around(center: float, factor: float = 10.0) -> LogUniform:
    """Return the numbers from `center / factor` to `center * factor`.

    >>> around(0.01)
    LogUniform(low=0.001, high=0.1, integer=False)
    """
    low, high = float(f"{center / factor:.4g}"), float(f"{center * factor:.4g}")
    return LogUniform(low, high)


@dataclass(frozen=True)
class Tuning:
    """What to search when an optimizer is tuned, and when to use it.

    Attributes:
        learning_rate: Rates in which the best of most problems lies. The middle on the
            logarithmic axis is the first one tried. It is the peak of the schedule. For
            a wrapper `None`: the rates of the inner optimizer.
        schedule: The schedule that the rule wants: `"one_cycle"` (a warm-up, then a
            cosine to 0), `"cosine"` (without warm-up) or `"constant"`. A wrapper that
            has not `"constant"` leaves it to the inner optimizer.
        others: Further arguments to search, by name.
        use_when: What the optimizer is good for; one sentence.
        not_when: Where another is the better choice; one sentence.

    >>> Tuning(around(1e-3), use_when="A first try.", not_when="Memory is short.")
    Tuning(learning_rate=LogUniform(low=0.0001, high=0.01, integer=False), ...)
    """

    learning_rate: LogUniform | None
    schedule: str = "one_cycle"
    others: Mapping[str, Domain] = field(default_factory=dict)
    use_when: str = ""
    not_when: str = ""

    def __post_init__(self) -> None:
        choice("schedule", self.schedule, SCHEDULES)
