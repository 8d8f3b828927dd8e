"""Checks of a class that declares arguments and slots, when the class is defined."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from keras_optlab.core.fields import Field
from keras_optlab.core.slots import SHAPES, Slot
from keras_optlab.core.values import Values

# A rule reads its arguments and slots as attributes of `Values`, and the number of the
# update as `count` among them.
OF_VALUES = {name for name in vars(Values) if not name.startswith("_")} | {"count"}
OF_KERAS = {"built"}  # which Keras sets on an instance


def check_field_names(
    cls: type, own: Iterable[str], inherited: Collection[str]
) -> None:
    """Raise if a declared argument has a name that a base class uses for another thing.

    Args:
        cls: The class.
        own: The names of the arguments that it declares.
        inherited: The names of the arguments of its bases, which it may declare anew.
    """
    for name in own:
        if name in inherited:
            continue
        user = _user_of(name, cls.__mro__[1:])
        if user is not None:
            raise TypeError(
                f"{cls.__name__} cannot declare an argument `{name}`, since {user} "
                "uses this name; write another one, such as "
                f"`{cls.__name__.lower()}_{name}`."
            )


def check_slots(cls: Any, fields: Mapping[str, Field]) -> None:
    """Raise what is wrong with the `slots` and `shared` that a class declares.

    Args:
        cls: The class.
        fields: The arguments that a slot may name.
    """
    for kind in ("slots", "shared"):
        slots = vars(cls).get(kind, ())
        if not isinstance(slots, tuple) or not all(isinstance(s, Slot) for s in slots):
            raise TypeError(
                f"`{kind}` of {cls.__name__} must be a tuple of Slots. "
                f'Received: {kind}={slots!r}. Write `{kind} = (Slot("name"),)`.'
            )
        names = [slot.name for slot in slots]
        for slot in slots:
            what = f"The slot {slot.name!r} of {cls.__name__}"
            if names.count(slot.name) > 1:
                raise TypeError(f"{what} is declared twice; give each its own name.")
            if slot.name in OF_VALUES:
                raise TypeError(
                    f"{what} has a name that `Values` uses; write another one, such as "
                    f"`Slot({slot.name + '_'!r})`."
                )
            _check_slot(slot, what, fields)


def check_no_overlap(
    what: str, outer: type, inner: type, outers: Iterable[str], inners: Iterable[str]
) -> None:
    """Raise if a wrapper and what it wraps use the same name for two things.

    Args:
        what: What is named: `"argument"`, `"slots"` or `"shared"`.
        outer: The wrapper.
        inner: What it wraps.
        outers: The names that the wrapper declares.
        inners: Those of what it wraps.
    """
    for name in set(outers) & set(inners):
        raise TypeError(
            f"{outer.__name__} and {inner.__name__} both declare `{name}` ({what}); "
            f"rename the one of {outer.__name__}, as in "
            f"`{outer.__name__.lower()}_{name}`."
        )


def _check_slot(slot: Slot, what: str, fields: Mapping[str, Field]) -> None:
    named = {"when": slot.when, "init": slot.init}
    for key, name in named.items():
        if isinstance(name, str) and name not in fields and (key, name) != WEIGHT:
            raise TypeError(
                f"{what} names no argument: {key}={name!r}; declare `{name}`, or write "
                f"one of {', '.join(fields) or 'none, as there are none'}."
            )
    if not callable(slot.shape) and slot.shape not in SHAPES:
        raise TypeError(
            f"{what} has an unknown shape. Received: shape={slot.shape!r}. Write one "
            f"of {', '.join(map(repr, SHAPES))}, or a function of a `Weight`."
        )


WEIGHT = "init", "weight"  # a copy of the weight


def _user_of(name: str, bases: Iterable[type]) -> str | None:
    """Return who uses a name among the bases of a class, or `None`."""
    if name in OF_VALUES:
        return "`Values`, in which a rule reads it,"
    if name in OF_KERAS:
        return "Keras"
    for base in bases:
        declared = isinstance(vars(base).get(name), Field)
        if not declared and name in {*vars(base), *inspect.get_annotations(base)}:
            return f"`{base.__name__}`"
    return None
