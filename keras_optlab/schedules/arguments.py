"""Declarations of the arguments that schedules take."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core import Hyper
from keras_optlab.core.fields import REQUIRED, Field, HyperField
from keras_optlab.core.number_checks import as_number


def rate(doc: str, default: float = REQUIRED, or_schedule: bool = False) -> Any:
    """Declare a finite value >= 0; `or_schedule` also allows a schedule."""
    return RateField(">= 0", or_schedule, False, default=default, doc=doc)


def factor(doc: str, default: float = REQUIRED, within: str = "> 0") -> Any:
    """Declare a factor or an exponent; > 0 by default."""
    return Hyper(default=default, doc=doc, within=within, adjustable=False)


def steps(doc: str) -> Any:
    """Declare the length of a `Timed` schedule: updates, a share, or `None`."""
    return LengthField(
        "> 0", False, True, default=None, doc=f"{doc}, in updates or as a share"
    )


def share(doc: str, default: float = REQUIRED, within: str = "[0, 1]") -> Any:
    """Declare a fraction; in [0, 1] by default."""
    return Hyper(default=default, doc=doc, within=within, adjustable=False)


def rates(doc: str, or_schedule: bool = False) -> Any:
    """Declare a list of values, each checked like a `rate`."""
    entry = RateField(
        ">= 0", or_schedule, False, default=REQUIRED, doc=f"one of: {doc}"
    )
    return ListField(doc, entry)


def boundaries(doc: str) -> Any:
    """Declare a list of steps in increasing order: all updates, or all shares."""
    return BoundariesField(f"{doc}, in updates or as shares")


class RateField(HyperField):
    """A value of a schedule, or a nested schedule.

    The range of a nested schedule is not checked, because the outer schedule may cut it
    off before it leaves the range. The hyperparameter checks the outer schedule.
    """

    def check_schedule(self, schedule: LearningRateSchedule) -> LearningRateSchedule:
        """Return the schedule without a check of its range."""
        return schedule


class LengthField(HyperField):
    """A length: an integer is updates, a float in (0, 1) a share of the span."""

    def validate(self, value: Any) -> Any:
        """Return an integer > 0, a float in (0, 1), or `None`."""
        share = None if isinstance(value, int | np.integer) else as_number(value)
        if share is not None and 0 < share < 1:
            return share
        if share == 1:
            raise ValueError(
                f"`{self.name}` ({self.doc}) must be an integer > 0 or a share below "
                f"1. Received: {self.name}={value!r}. Leave it out for all of the "
                "`fit`; write 1 for one update."
            )
        try:
            return super().validate(value)
        except (TypeError, ValueError) as error:
            expected = "an integer > 0, for updates, or in (0, 1), for a share"
            raise self.refuse(expected, value, type(error)) from None


def rates_of(schedule: Any) -> list[Any]:
    """Return the rates among the arguments of a schedule, as a list."""
    rates: list[Any] = []
    for name, field in schedule.fields.items():
        value = getattr(schedule._values, name)
        if isinstance(field, ListField) and isinstance(field.entry, RateField):
            rates += value
        elif isinstance(field, RateField):
            rates.append(value)
    return rates


class ListField(Field):
    """A list of values, each checked by the same field; stored as a tuple."""

    def __init__(self, doc: str, entry: Field) -> None:
        super().__init__(default=REQUIRED, doc=doc)
        self.entry = entry

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.entry.name = name

    def validate(self, value: Any) -> tuple[Any, ...]:
        """Return the checked entries."""
        one = getattr(value, "ndim", 1) == 0
        if not isinstance(value, list | tuple | np.ndarray) or one:
            raise self.refuse("a list", value, TypeError)
        return tuple(self.entry.validate(entry) for entry in value)


class BoundariesField(ListField):
    """A list of steps in increasing order: all updates, or all shares."""

    def __init__(self, doc: str) -> None:
        entry = LengthField("> 0", False, True, default=REQUIRED, doc=f"one of: {doc}")
        super().__init__(doc, entry)

    def validate(self, value: Any) -> tuple[float, ...]:
        """Return the checked steps."""
        numbers = super().validate(value)
        if len({type(x) for x in numbers}) > 1:
            raise self.refuse("all updates, or all shares", value, TypeError)
        if any(a >= b for a, b in zip(numbers, numbers[1:], strict=False)):
            raise self.refuse("in increasing order", value, ValueError)
        return numbers


def check_pieces(name: str, pieces: tuple[Any, ...], boundaries: tuple[float, ...]):
    """Raise unless there is one piece more than boundaries."""
    if len(pieces) != len(boundaries) + 1:
        raise ValueError(
            f"`{name}` must be one entry longer than `boundaries`. Received: {name}="
            f"{list(pieces)!r} and boundaries={list(boundaries)!r}, of lengths "
            f"{len(pieces)} and {len(boundaries)}."
        )


def count(name: str, value: Any, within: str = ">= 0") -> int:
    """Return a number of steps as an int, or raise.

    >>> count("n", 2.5)
    Traceback (most recent call last):
        ...
    TypeError: `n` (number of steps) must be an integer >= 0. Received: n=2.5
    """
    field = HyperField(within, False, True, default=REQUIRED, doc="number of steps")
    field.name = name
    return field.validate(value)
