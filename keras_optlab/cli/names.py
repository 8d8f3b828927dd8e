"""Names as people type them, of whatever the package has."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from keras_optlab.cli.loading import load

BASES = ("Callback", "MetricCallback", "StepCallback", "Schedule", "Timed")


def plainly(name: str) -> str:
    """Return a name without what people spell differently.

    >>> plainly("One_Cycle"), plainly("schedule-free adamw")
    ('onecycle', 'schedulefreeadamw')
    """
    return "".join(sign for sign in name.lower() if sign not in "-_ ")


def match(name: str, known: Mapping[str, Any], what: str) -> Any:
    """Return the value of a name, however it is spelled.

    Raises:
        ValueError: if there is none, with the nearest one.
    """
    spelled = {plainly(key): value for key, value in known.items()}
    if plainly(name) not in spelled:
        raise ValueError(
            f"There is no {what} of this name. Received: {name!r}. "
            f"{nearest(plainly(name), known)}"
        )
    return spelled[plainly(name)]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a suggestion; all names too, if they are few."""
    found = load("core.errors").suggest(name, known)
    hint, _, listed = found.partition("Known: ")
    if len(listed) <= 300:
        return found
    return hint or "optlab list shows all names."


def optimizers() -> list[str]:
    """Return the names of all optimizers and wrappers."""
    registry = load("optimizers")
    return [*registry.names(), *registry.wrappers()]


def schedules() -> dict[str, Any]:
    """Return the classes of schedules by their names."""
    return _classes(load("schedules"))


def callbacks() -> dict[str, Any]:
    """Return the classes of callbacks by their names."""
    return _classes(load("callbacks"))


def problems() -> dict[str, Any]:
    """Return the problems that come with the package by their names."""
    room = load("lab.problems")
    return {name: room.find(name) for name in room.names()}


def _classes(module: Any) -> dict[str, Any]:
    return {
        name: getattr(module, name)
        for name in module.__all__
        if name not in BASES and inspect.isclass(getattr(module, name))
    }


def summary(cls: Any) -> str:
    """Return the first sentence of a class, without its name."""
    line = (inspect.getdoc(cls) or "").partition("\n")[0].replace("`", "")
    name, colon, rest = line.partition(": ")
    return rest if colon and plainly(name) == plainly(cls.__name__) else line
