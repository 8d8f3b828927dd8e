"""Checks of the arguments of callbacks, worded as those of optimizers are."""

from __future__ import annotations

from typing import Any

from keras_optlab.core.fields import HyperField


def number(name: str, value: Any, within: str, doc: str, integer: bool = False) -> Any:
    """Return the value as a Python number, or raise what is wrong with it.

    >>> number("patience", 3, ">= 0", "epochs to wait", integer=True)
    3
    >>> number("patience", -1, ">= 0", "epochs to wait", integer=True)
    Traceback (most recent call last):
        ...
    ValueError: `patience` (epochs to wait) must be an integer >= 0. Received: ...
    """
    field = HyperField(within, adjustable=False, integer=integer, default=0, doc=doc)
    field.name = name
    return field.validate(value)


def optional_steps(name: str, value: Any, doc: str) -> int | None:
    """Return a number of steps >= 1, or `None` for never."""
    return None if value is None else number(name, value, ">= 1", doc, integer=True)
