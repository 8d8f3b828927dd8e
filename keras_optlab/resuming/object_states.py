"""The state of callbacks and other Python objects, to be pickled and put back.

The state of an object is what its method `get_state` returns, if it also has a method
`set_state`. Else it is its attributes: values that can be pickled, and the states of
objects that are put back in place. Models, layers, optimizers, other callbacks,
variables, data and open files are not state; they stay as they are.

Configuration is not state, either: an attribute that is named like an argument of the
constructor, and that training has not changed, keeps its present value.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import pickle
import types
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

LIBRARIES = {"keras", "tensorflow", "torch", "jax", "jaxlib", "optax", "matplotlib"}
LEFT_OUT = {"params", "_model", "_arguments", "companions"}
NOT_STATE = {keras.callbacks.CSVLogger: {"append", "append_header"}}
PLAIN = bool, int, float, complex, str, bytes, type(None), np.generic
KEEP = object()  # of a value that is not state


@dataclass(frozen=True)
class Value:
    """A value that replaces the present one."""

    value: Any


@dataclass(frozen=True)
class Parts:
    """The states of the elements of a list or tuple, or of a dict, by key."""

    states: dict[Any, Any]


@dataclass(frozen=True)
class Own:
    """What the object's own `get_state` returned."""

    state: Any


@dataclass(frozen=True)
class Attributes:
    """The attributes of an object: pickled values, and states of the others."""

    values: bytes
    states: dict[str, Any]


def state_of(owner: Any, first: dict[str, Any] | None = None) -> Any:
    """Return the state of an object, to be pickled.

    Args:
        owner: The object, such as a callback.
        first: Its attributes before training, by which unchanged configuration is
            recognized; `None` takes all attributes as state.
    """
    return _object_state(owner, {}, first)


def set_state_of(owner: Any, state: Any) -> None:
    """Put the state back that `state_of` returned for this object or one like it."""
    if isinstance(state, Own):
        owner.set_state(state.state)
    elif isinstance(state, Attributes):
        vars(owner).update(pickle.loads(state.values))
        for name, saved in state.states.items():
            _put_back(vars(owner).get(name), saved)


def settings_of(kind: type, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that are named like arguments and have plain values."""
    names = _arguments(kind)
    return {k: x for k, x in attributes.items() if k in names and _is_plain(x)}


def _object_state(x: Any, seen: dict[int, Any], first: dict[str, Any] | None) -> Any:
    if callable(getattr(x, "get_state", None)) and hasattr(x, "set_state"):
        return Own(_unshared(x.get_state()))
    seen[id(x)] = x
    first = first or {}
    configuration = first.keys() & _arguments(type(x))
    left_out = LEFT_OUT | NOT_STATE.get(type(x), set())
    values, states = {}, {}
    for name, value in vars(x).items():
        if name in left_out:
            continue
        unchanged = name in configuration and _same(value, first[name])
        state = _state(value, seen)
        if isinstance(state, Value) and not unchanged:
            values[name] = state.value
        elif isinstance(state, Parts | Own | Attributes):
            states[name] = state
    return Attributes(_pickled(values), states)


def _state(x: Any, seen: dict[int, Any]) -> Any:
    """Return the state of a value, or `KEEP` if it is none."""
    if id(x) in seen or _is_left_out(x):
        return KEEP
    if _is_own_object(x):
        return _object_state(x, seen, None)
    if isinstance(x, list | tuple | dict) and not _holds_values_only(x):
        pairs = x.items() if isinstance(x, dict) else enumerate(x)
        found = {k: _state(v, seen) for k, v in pairs}
        return Parts({k: s for k, s in found.items() if s is not KEEP})
    return Value(x)


def _put_back(x: Any, state: Any) -> Any:
    """Put a state into a value, and return what replaces it."""
    if isinstance(state, Value):
        return state.value
    if isinstance(state, Parts):
        keys = x if isinstance(x, dict) else range(len(x or ()))
        for k in [k for k in state.states if k in keys]:
            new = _put_back(x[k], state.states[k])
            if isinstance(x, list | dict):
                x[k] = new  # pyright: ignore[reportArgumentType]
    elif x is not None:
        set_state_of(x, state)
    return x


class _Pickler(pickle.Pickler):
    """Refuses what is not state, wherever it is in a value."""

    def reducer_override(self, obj: Any) -> Any:
        if _is_left_out(obj):
            raise pickle.PicklingError
        return NotImplemented


def _pickled(values: dict[str, Any]) -> bytes:
    """Pickle together the values that can be: they may share objects."""
    try:
        return _dumped(values)
    except Exception:  # whatever an object of the user raises, it is not state
        return _dumped({k: x for k, x in values.items() if _can_be_pickled(x)})


def _can_be_pickled(x: Any) -> bool:
    try:
        _dumped(x)
    except Exception:  # see above
        return False
    return True


def _dumped(x: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(x)
    return file.getvalue()


def _unshared(x: Any) -> Any:
    """Return a copy that later steps do not change."""
    return pickle.loads(pickle.dumps(x))


def _is_left_out(x: Any) -> bool:
    """Return whether an object belongs to a library, and is not a value."""
    if isinstance(x, keras.callbacks.Callback | types.ModuleType | io.IOBase):
        return True
    if isinstance(x, type | types.FunctionType | types.BuiltinFunctionType):
        return False
    if isinstance(x, keras.utils.PyDataset) or keras.ops.is_tensor(x):
        return True
    bases = {str(c.__module__).partition(".")[0] for c in type(x).__mro__}
    return bool(bases & LIBRARIES)


def _is_own_object(x: Any) -> bool:
    """Return whether an object is put back in place, as others may refer to it."""
    if isinstance(x, type | types.FunctionType):
        return False
    has_methods = hasattr(x, "get_state") and hasattr(x, "set_state")
    ours = type(x).__module__.startswith("keras_optlab.")
    frozen = dataclasses.is_dataclass(x) and x.__dataclass_params__.frozen  # pyright: ignore[reportAttributeAccessIssue]
    return hasattr(x, "__dict__") and (has_methods or (ours and not frozen))


def _holds_values_only(x: Any) -> bool:
    """Return whether nothing in a container has to be put back in place."""
    parts: Iterable[Any] = x.values() if isinstance(x, dict) else x
    return all(
        not (_is_own_object(p) or _is_left_out(p))
        and (not isinstance(p, list | tuple | dict) or _holds_values_only(p))
        for p in parts
    )


def _arguments(kind: type) -> frozenset[str]:
    """Return the names of the arguments of a class and its bases."""
    found: set[str] = set()
    for cls in kind.__mro__:
        init = vars(cls).get("__init__")
        if isinstance(init, types.FunctionType):
            found |= inspect.signature(init).parameters.keys()
    return frozenset(found - {"self", "args", "kwargs"})


def _is_plain(x: Any) -> bool:
    if isinstance(x, list | tuple):
        return all(isinstance(y, PLAIN) for y in x)
    return isinstance(x, PLAIN)


def _same(x: Any, y: Any) -> bool:
    return x is y or (_is_plain(x) and _is_plain(y) and type(x) is type(y) and x == y)
