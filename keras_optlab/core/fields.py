"""Declared arguments: each stated once, with its default, legal range and meaning.

An algorithm or a transform lists its arguments as class attributes. The constructor's
signature, the validation of what is passed, `get_config`, the documentation and the
search space of a tuner are all read from these declarations.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from keras.optimizers.schedules import LearningRateSchedule


class Interval:
    """A legal range, written as in a paper.

    >>> 0.5 in Interval("[0, 1)"), 1.0 in Interval("[0, 1)"), 2.0 in Interval("> 0")
    (True, False, True)
    """

    def __init__(self, text: str) -> None:
        self.text = text
        bound = re.fullmatch(r"(>=?|<=?) (\S+)", text)
        pair = re.fullmatch(r"([\[(])(\S+), (\S+)([\])])", text)
        if bound:
            sign, value = bound[1], float(bound[2])
            self.low, self.high = -math.inf, math.inf
            if sign[0] == ">":
                self.low = value
            else:
                self.high = value
            self.closed = ("=" in sign, "=" in sign)
        elif pair:
            self.low, self.high = float(pair[2]), float(pair[3])
            self.closed = (pair[1] == "[", pair[4] == "]")
        else:
            raise ValueError(f"A range reads '> 0' or '[0, 1)'. Received: {text!r}")

    def __contains__(self, x: float) -> bool:
        above = x >= self.low if self.closed[0] else x > self.low
        below = x <= self.high if self.closed[1] else x < self.high
        return math.isfinite(x) and above and below


class Field:
    """One declared argument of a `Declared` class; also the attribute that holds it.

    Args:
        default: What the argument is if left out.
        doc: One line of meaning, with the paper's symbol where it has one.
        kw_only: Whether it must be named in the call.
        keras_owned: Whether `keras.optimizers.Optimizer` keeps the attribute itself.
    """

    adjustable = False
    by_group = False  # though it is fixed
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
        """Return the value in its canonical type, or raise what is wrong with it."""
        return value

    def refuse(self, expected: str, value: Any, error: type[Exception]) -> Exception:
        """Word the refusal of a value."""
        return error(
            f"`{self.name}` ({self.doc}) must be {expected}. "
            f"Received: {self.name}={value!r}"
        )


class HyperField(Field):
    """A number, which a schedule may drive if the declaration says so."""

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
        """Return a Python number, a schedule, or `None` where that is the default."""
        if value is None and self.optional:
            return None
        if self.adjustable and isinstance(value, LearningRateSchedule):
            return value
        number = as_number(value)
        kind = "an integer" if self.integer else "a number"
        if number is None or (self.integer and not number.is_integer()):
            also = " or a schedule" if self.adjustable else ""
            raise self.refuse(f"{kind} {self.domain}{also}", value, TypeError)
        if number not in self.interval:
            raise self.refuse(f"{kind} {self.domain}", value, ValueError)
        return int(number) if self.integer else number


class DecayField(HyperField):
    """A factor β that a moving average keeps of its past at every step."""


class FlagField(Field):
    """Yes or no."""

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
    """One of a few words."""

    def __init__(self, choices: tuple[str, ...], **common: Any) -> None:
        super().__init__(**common)
        self.choices = choices
        self.domain = " | ".join(map(repr, choices))

    def validate(self, value: Any) -> str:
        """Return the word."""
        if value not in self.choices:
            raise self.refuse(f"one of {self.domain}", value, ValueError)
        return value


class OptionField(Field):
    """Anything that a function of its own checks."""

    def __init__(
        self, check: Callable[[Any], Any] | None, domain: str, **common: Any
    ) -> None:
        super().__init__(**common)
        self.check = check
        self.domain = domain

    def validate(self, value: Any) -> Any:
        """Return what the check makes of the value."""
        if self.check is None:
            return value
        try:
            return self.check(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"`{self.name}`: {error}") from None


def as_number(value: Any) -> float | None:
    """Return any single real number (Python, NumPy, tensor) as a float, else `None`."""
    if isinstance(value, bool | np.bool_ | str | bytes) or value is None:
        return None
    if isinstance(value, numbers.Real):
        return float(value)
    if getattr(value, "shape", None) == () and hasattr(value, "__float__"):
        return float(value)
    return None


# The functions below are what a class body calls. They return `Any` so that a type
# checker takes the annotation of the attribute, not the class of the declaration.


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
    """Declare a number; `adjustable` ones may be driven and changed while running."""
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


def Decay(
    *, default: float, doc: str, within: str = "[0, 1)", kw_only: bool = False
) -> Any:
    """Declare the decay factor of a moving average; `1 - h.beta` is exact."""
    return DecayField(within, True, False, default=default, doc=doc, kw_only=kw_only)


def Flag(
    *,
    default: bool,
    doc: str,
    by_group: bool = False,
    kw_only: bool = False,
    keras_owned: bool = False,
) -> Any:
    """Declare a yes or no; `by_group` ones may be set for some of the weights."""
    return FlagField(
        by_group, default=default, doc=doc, kw_only=kw_only, keras_owned=keras_owned
    )


def Choice(
    *, default: str, doc: str, choices: tuple[str, ...], kw_only: bool = False
) -> Any:
    """Declare one of a few words."""
    return ChoiceField(choices, default=default, doc=doc, kw_only=kw_only)


def Option(
    *,
    default: Any,
    doc: str,
    check: Callable[[Any], Any] | None = None,
    domain: str = "any",
    kw_only: bool = False,
    keras_owned: bool = False,
) -> Any:
    """Declare anything else, with the function that checks and normalises it."""
    return OptionField(
        check,
        domain,
        default=default,
        doc=doc,
        kw_only=kw_only,
        keras_owned=keras_owned,
    )
