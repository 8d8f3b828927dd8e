"""Declarations of the arguments that schedules take."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core import Hyper
from keras_optlab.core.fields import REQUIRED, Field, HyperField


def rate(doc: str, default: float = REQUIRED, or_schedule: bool = False) -> Any:
    """Declare a finite value >= 0; `or_schedule` also allows a schedule."""
    return RateField(">= 0", or_schedule, False, default=default, doc=doc)


def factor(doc: str, default: float = REQUIRED, within: str = "> 0") -> Any:
    """Declare a factor or an exponent; > 0 by default."""
    return Hyper(default=default, doc=doc, within=within, adjustable=False)


def steps(doc: str) -> Any:
    """Declare the length of a `Timed` schedule in updates: an integer > 0."""
    return Hyper(default=None, doc=f"{doc}, in updates", integer=True, adjustable=False)


def share(doc: str, default: float = REQUIRED, within: str = "[0, 1]") -> Any:
    """Declare a fraction; in [0, 1] by default."""
    return Hyper(default=default, doc=doc, within=within, adjustable=False)


def rates(doc: str, or_schedule: bool = False) -> Any:
    """Declare a list of values, each checked like a `rate`."""
    return ListField(doc, ">= 0", or_schedule=or_schedule)


def boundaries(doc: str) -> Any:
    """Declare a list of steps in increasing order: integers > 0."""
    return BoundariesField(f"{doc}, in updates", "> 0", integer=True)


class RateField(HyperField):
    """A value of a schedule, or a nested schedule.

    The range of a nested schedule is not checked, because the outer schedule may cut it
    off before it leaves the range. The hyperparameter checks the outer schedule.
    """

    def check_schedule(self, schedule: LearningRateSchedule) -> LearningRateSchedule:
        """Return the schedule without a check of its range."""
        return schedule


class ListField(Field):
    """A list of numbers, or also schedules with `or_schedule`; stored as a tuple."""

    def __init__(
        self, doc: str, within: str, integer: bool = False, or_schedule: bool = False
    ) -> None:
        super().__init__(default=REQUIRED, doc=doc)
        self.entry = RateField(
            within, or_schedule, integer, default=REQUIRED, doc=f"one of: {doc}"
        )

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.entry.name = name

    def validate(self, value: Any) -> tuple[Any, ...]:
        """Return the checked entries."""
        if not isinstance(value, list | tuple | np.ndarray):
            raise self.refuse("a list", value, TypeError)
        return tuple(self.entry.validate(entry) for entry in value)


class BoundariesField(ListField):
    """A list of steps in increasing order."""

    def validate(self, value: Any) -> tuple[int, ...]:
        """Return the checked steps."""
        numbers = super().validate(value)
        if any(a >= b for a, b in zip(numbers, numbers[1:], strict=False)):
            raise self.refuse("in increasing order", value, ValueError)
        return numbers


def check_pieces(name: str, pieces: tuple[Any, ...], boundaries: tuple[int, ...]):
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
