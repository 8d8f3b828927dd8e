"""Checks of declared arguments and slots, made when a class is defined."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from keras_optlab.core.errors import shown
from keras_optlab.core.fields import Field
from keras_optlab.core.slots import SHAPES, Slot
from keras_optlab.core.values import Values

# Names that no argument or slot may have. A rule reads both as attributes of `Values`,
# together with `count`, the number of the update.
OF_VALUES = {name for name in vars(Values) if not name.startswith("_")} | {"count"}


def check_field_names(
    cls: type,
    own: Iterable[str],
    inherited: Collection[str],
    bases: Iterable[type],
    reserved: Collection[str] = (),
) -> None:
    """Raise if an argument has a name that a base class uses for something else.

    Args:
        cls: The class.
        own: The names of the arguments that it declares.
        inherited: The names of its bases' arguments, which it may redeclare.
        bases: The classes whose attributes it must not hide.
        reserved: Names that the engine uses on instances.
    """
    for name in own:
        if name in inherited:
            continue
        user = "the engine" if name in reserved else _user_of(name, bases)
        if user is not None:
            raise TypeError(
                f"{cls.__name__} cannot declare an argument `{name}`, since {user} "
                "uses this name. Rename it, for example to "
                f"`{cls.__name__.lower()}_{name}`."
            )


def check_slots(cls: Any, fields: Mapping[str, Field]) -> None:
    """Raise if the `slots` or `shared` of a class are not valid.

    Args:
        cls: The class.
        fields: The arguments that a slot may refer to.
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
                    f"{what} has a name that `Values` uses. Rename it, for example to "
                    f"`Slot({slot.name + '_'!r})`."
                )
            _check_slot(slot, what, fields)


def check_no_overlap(
    what: str, outer: type, inner: type, outers: Iterable[str], inners: Iterable[str]
) -> None:
    """Raise if a wrapper and its inner optimizer declare the same name.

    Args:
        what: What the names are of: `"argument"`, `"slots"` or `"shared"`.
        outer: Class of the wrapper.
        inner: Class of the inner optimizer.
        outers: The names that the wrapper declares.
        inners: The names that the inner optimizer declares.
    """
    for name in set(outers) & set(inners):
        raise TypeError(
            f"{outer.__name__} and {inner.__name__} both declare `{name}` ({what}); "
            f"rename it in {outer.__name__}, for example to "
            f"`{outer.__name__.lower()}_{name}`."
        )


def _check_slot(slot: Slot, what: str, fields: Mapping[str, Field]) -> None:
    named = {"when": slot.when, "init": slot.init}
    for key, name in named.items():
        if isinstance(name, str) and name not in fields and (key, name) != WEIGHT:
            raise TypeError(
                f"{what} refers to an unknown argument. Received: {key}={name!r}. "
                f"Declare `{name}`. Known: {', '.join(fields) or 'none'}."
            )
    if not callable(slot.shape) and slot.shape not in SHAPES:
        raise TypeError(
            f"{what} has an unknown shape. Received: shape={shown(slot.shape)}. Write "
            f"one of {', '.join(map(repr, SHAPES))}, or a function of a `Weight`."
        )


WEIGHT = "init", "weight"  # the slot starts as a copy of the weight


def _user_of(name: str, bases: Iterable[type]) -> str | None:
    """Return what uses a name, such as a base class, as text; `None` if nothing."""
    if name in OF_VALUES:
        return "`Values`, from which a rule reads it,"
    for base in bases:
        declared = isinstance(vars(base).get(name), Field)
        if not declared and name in {*vars(base), *inspect.get_annotations(base)}:
            return f"`{base.__name__}`"
    return None
