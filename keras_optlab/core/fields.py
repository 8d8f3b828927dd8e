"""Declarations of arguments, each with its default, legal range and meaning.

A class lists its arguments as class attributes. The constructor's signature, the
validation of arguments, `get_config` and `optimizers.info` use these declarations.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.errors import shown
from keras_optlab.core.number_checks import (
    LARGEST_INTEGER,
    Interval,
    as_number,
    in_step_precision,
)
from keras_optlab.core.schedule_checks import first_illegal

REQUIRED: Any = inspect.Parameter.empty  # the default of an argument without one


class Field:
    """A declared argument of a `Declared` class, and the descriptor of its attribute.

    Args:
        default: Value of the argument if it is not passed.
        doc: Meaning in a few words, with the paper's symbol if it has one.
        kw_only: Whether it must be passed by name.
        keras_owned: Whether `keras.optimizers.Optimizer` stores the value itself.
    """

    adjustable = False
    by_group = False  # whether groups can set it although it is not adjustable
    domain = "any"

    def __init__(
        self, default: Any, doc: str, kw_only: bool = False, keras_owned: bool = False
    ) -> None:
        self.default, self.doc = default, doc
        self.kw_only, self.keras_owned = kw_only, keras_owned
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else instance.read_field(self)

    def __set__(self, instance: Any, value: Any) -> None:
        instance.write_field(self, value)

    def validate(self, value: Any) -> Any:
        """Return the value in its canonical type, or raise if it is not legal."""
        return value

    def refuse(self, expected: str, value: Any, error: type[Exception]) -> Exception:
        """Return the error for an illegal value."""
        return error(
            f"`{self.name}` ({self.doc}) must be {expected}. "
            f"Received: {self.name}={shown(value)}"
        )


class HyperField(Field):
    """A number; a schedule may drive it if it is `adjustable`."""

    def __init__(
        self,
        within: str,
        adjustable: bool,
        integer: bool,
        optional: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.optional = optional or self.default is None
        self.interval = Interval(within)
        self.domain = within
        self.adjustable = adjustable
        self.integer = integer

    def validate(self, value: Any) -> Any:
        """Return a Python number, a schedule, or `None` if it is optional."""
        if value is None and self.optional:
            return None
        if self.adjustable and isinstance(value, LearningRateSchedule):
            return self.check_schedule(value)
        number = as_number(value)
        kind = "an integer" if self.integer else "a number"
        infinite = number is not None and not np.isfinite(number)
        if number is None or (
            self.integer and not infinite and not number.is_integer()
        ):
            also = " or a schedule" if self.adjustable else ""
            raise self.refuse(f"{kind} {self.interval.phrase}{also}", value, TypeError)
        if not self.holds(number):
            raise self.refuse(f"{kind} {self.interval.phrase}", value, ValueError)
        if not self.integer:
            return number
        return operator.index(value) if isinstance(value, int) else int(number)

    def holds(self, number: float) -> bool:
        """Return whether a number is in range, also in the dtype of a step."""
        if number not in self.interval:
            return False
        if self.integer:
            return abs(number) <= LARGEST_INTEGER
        return in_step_precision(number) in self.interval

    def check_schedule(self, schedule: LearningRateSchedule) -> LearningRateSchedule:
        """Return the schedule, or raise if a value is out of range."""
        must = f"`{self.name}` ({self.doc}) must be"
        check_schedule(self.name, must, schedule, self.interval, self.integer)
        return schedule


class BetaField(HyperField):
    """The coefficient β of a moving average, which is multiplied by the old average."""

    def holds(self, number: float) -> bool:
        """Return whether β is in range; a step stores 1 - β, so β is not rounded."""
        return number in self.interval


class FlagField(Field):
    """A boolean."""

    domain = "bool"

    def __init__(self, by_group: bool, **common: Any) -> None:
        super().__init__(**common)
        self.by_group = by_group

    def validate(self, value: Any) -> bool:
        """Return a Python bool."""
        if not isinstance(value, bool | np.bool_):
            raise self.refuse("True or False", value, TypeError)
        return bool(value)


class ChoiceField(Field):
    """One of several strings."""

    def __init__(
        self, choices: tuple[str, ...], by_group: bool = False, **common: Any
    ) -> None:
        super().__init__(**common)
        self.choices = choices
        self.by_group = by_group
        self.domain = " | ".join(map(repr, choices))

    def validate(self, value: Any) -> str:
        """Return the string."""
        if not isinstance(value, str):
            raise self.refuse(f"one of {self.domain}", value, TypeError)
        if value not in self.choices:
            raise self.refuse(f"one of {self.domain}", value, ValueError)
        return value


class OptionField(Field):
    """A value of any type, validated by a function."""

    def __init__(
        self,
        check: Callable[[Any], Any] | None,
        domain: str,
        by_group: bool,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.check = check
        self.domain = domain
        self.by_group = by_group

    def validate(self, value: Any) -> Any:
        """Return the value as the function returns it."""
        if self.check is None:
            return value
        try:
            return self.check(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"`{self.name}`: {error}") from None


def check_schedule(
    name: str,
    expected: str,
    schedule: LearningRateSchedule,
    interval: Interval,
    integer: bool = False,
) -> None:
    """Raise if a schedule has a value out of range, at the steps that are checked.

    Args:
        name: Name of the argument that it drives.
        expected: Beginning of the message.
        schedule: The schedule.
        interval: The legal range.
        integer: Whether its values are rounded to integers.
    """
    found = first_illegal(schedule, interval, integer)
    if found is None:
        return
    step, value = found
    error = TypeError if as_number(value) is None else ValueError
    raise error(
        f"{expected} a number {interval.phrase} at every step. "
        f"Received: {name}={shown(schedule)}, which is {shown(value)} at step {step}."
    )


# A class body calls the functions below. They return `Any` so that a type checker takes
# the annotation of the attribute, not the class of the declaration.


def Hyper(
    *,
    default: float | None,
    doc: str,
    within: str = "> 0",
    adjustable: bool = True,
    integer: bool = False,
    optional: bool = False,
    kw_only: bool = False,
    keras_owned: bool = False,
) -> Any:
    """Declare a number; if `adjustable`, it can change or follow a schedule."""
    return HyperField(
        within,
        adjustable,
        integer,
        optional,
        default=default,
        doc=doc,
        kw_only=kw_only,
        keras_owned=keras_owned,
    )


def Beta(
    *, default: float, doc: str, within: str = "[0, 1)", kw_only: bool = False
) -> Any:
    """Declare the coefficient β of a moving average; `1 - h.beta` is exact."""
    return BetaField(within, True, False, default=default, doc=doc, kw_only=kw_only)


def Flag(
    *,
    default: bool,
    doc: str,
    by_group: bool = False,
    kw_only: bool = False,
    keras_owned: bool = False,
) -> Any:
    """Declare a boolean; if `by_group`, groups can set it."""
    return FlagField(
        by_group, default=default, doc=doc, kw_only=kw_only, keras_owned=keras_owned
    )


def Choice(
    *,
    default: str,
    doc: str,
    choices: tuple[str, ...],
    by_group: bool = False,
    kw_only: bool = False,
) -> Any:
    """Declare a choice between several strings; if `by_group`, groups can set it."""
    return ChoiceField(choices, by_group, default=default, doc=doc, kw_only=kw_only)


def Option(
    *,
    default: Any,
    doc: str,
    check: Callable[[Any], Any] | None = None,
    domain: str = "any",
    by_group: bool = False,
    kw_only: bool = False,
    keras_owned: bool = False,
) -> Any:
    """Declare any other argument, with a function that checks and normalizes it.

    Args:
        default: Its default.
        doc: Its meaning in a few words.
        check: A function that returns the value, normalized, or raises.
        domain: The legal values in words.
        by_group: Whether a `Group` can set it.
        kw_only: Whether it is passed by name only.
        keras_owned: Whether the base class of Keras stores it.
    """
    return OptionField(
        check,
        domain,
        by_group,
        default=default,
        doc=doc,
        kw_only=kw_only,
        keras_owned=keras_owned,
    )
