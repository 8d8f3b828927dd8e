"""Checks of arguments that are not declared, with the texts of those that are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.errors import shown
from keras_optlab.core.fields import HyperField


def number(name: str, value: Any, within: str, doc: str, integer: bool = False) -> Any:
    """Check the value and return it as a Python number.

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


def optional_number(
    name: str, value: Any, within: str, doc: str, integer: bool = False
) -> Any:
    """Check the value and return it as a Python number, or `None`."""
    return None if value is None else number(name, value, within, doc, integer)


def optional_steps(name: str, value: Any, doc: str) -> int | None:
    """Check a number of steps >= 1; `None` is never."""
    return optional_number(name, value, ">= 1", doc, integer=True)


def flag(name: str, value: Any) -> bool:
    """Return the value as `True` or `False`; only bools are accepted.

    >>> flag("images", "no")
    Traceback (most recent call last):
        ...
    TypeError: `images` must be True or False. Received: images='no'
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(
            f"`{name}` must be True or False. Received: {name}={shown(value)}"
        )
    return bool(value)


def verbosity(value: Any) -> int:
    """Return 0, 1 or 2; `False` is 0 and `True` is 1."""
    if isinstance(value, bool | np.bool_):
        return int(value)
    return number("verbose", value, "[0, 2]", "whether to print", integer=True)


def choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return the value if it is one of the choices.

    >>> choice("unit", "batch", ("step", "epoch"))
    Traceback (most recent call last):
        ...
    ValueError: `unit` must be 'step' or 'epoch'. Received: unit='batch'
    """
    if isinstance(value, str) and value in choices:
        return value
    *others, last = map(repr, choices)
    raise ValueError(
        f"`{name}` must be {', '.join(others)} or {last}. "
        f"Received: {name}={shown(value)}"
    )


def metric_name(value: Any) -> str:
    """Return the name of a metric if it is a non-empty string."""
    if not isinstance(value, str) or not value:
        raise TypeError(
            "`monitor` must be the name of a metric, such as 'val_loss'. "
            f"Received: monitor={shown(value)}"
        )
    return value


def text(name: str, value: Any, least: int = 1) -> str:
    """Return a text of at least so many characters."""
    if not isinstance(value, str) or len(value) < least:
        empty = ", not empty" if least else ""
        raise TypeError(
            f"`{name}` must be a text{empty}. Received: {name}={shown(value)}"
        )
    return value


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    """Return a mapping whose keys are texts."""
    if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
        raise TypeError(
            f"`{name}` must be a dict with names as keys. "
            f"Received: {name}={shown(value)}"
        )
    return value


def local_path(name: str, value: Any) -> str:
    """Return a path as a string."""
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str) or not path:
        raise TypeError(f"`{name}` must be a path. Received: {name}={shown(value)}")
    return path


def globs(name: str, value: Any) -> str | list[str]:
    """Return a glob, or globs as a list."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(g, str) for g in value):
        return list(value)
    raise TypeError(
        f"`{name}` must be a glob on the paths of weights, or a list of globs. "
        f"Received: {name}={shown(value)}"
    )


def optional_function(name: str, value: Any) -> Any:
    """Return a function, or `None`."""
    if value is not None and not callable(value):
        raise TypeError(
            f"`{name}` must be a function or None. Received: {name}={shown(value)}"
        )
    return value


def optional_schedule(value: Any, factor_on: str) -> LearningRateSchedule | None:
    """Return a schedule, or `None`."""
    if value is None or isinstance(value, LearningRateSchedule):
        return value
    raise TypeError(
        "`schedule` must be a LearningRateSchedule that returns a factor on "
        f"{factor_on}, or None. Received: schedule={shown(value)}"
    )


def optional_optimizer(value: Any) -> keras.optimizers.Optimizer | None:
    """Return an optimizer, or `None` for the model's."""
    if value is None or isinstance(value, keras.optimizers.Optimizer):
        return value
    raise TypeError(
        "`optimizer` must be an optimizer that trains, such as `model.d_optimizer`, or "
        f"None for the model's. Received: optimizer={shown(value)}"
    )
