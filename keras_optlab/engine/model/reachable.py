"""Everything a train step can reach from a model: variables, tensors, attributes.

The search goes through attributes, containers, and the names that functions of users
refer to, but not into libraries.
"""

from __future__ import annotations

import functools
import numbers
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.engine.backend.modules import holds_state, modules
from keras_optlab.engine.backend.variables import raw

LIBRARIES = {"keras", "keras_optlab", "tensorflow", "torch", "jax", "jaxlib", "numpy"}
HOLDERS = (
    keras.Layer,
    keras.metrics.Metric,
    keras.losses.Loss,
    keras.random.SeedGenerator,
)


@dataclass
class Reached:
    """The objects that were found.

    Attributes:
        variables: Variables and tensors of the backend, each once.
        attributes: The attributes of users' objects.
        optimizers: Optimizers that were not left out.
    """

    variables: list[Any] = field(default_factory=list)
    attributes: list[dict[str, Any]] = field(default_factory=list)
    optimizers: list[Any] = field(default_factory=list)


def reach(roots: Iterable[Any], leave_out: Iterable[Any] = ()) -> Reached:
    """Return everything that can be reached from some objects.

    Args:
        roots: The objects to start from.
        leave_out: Objects not to enter.
    """
    found, seen = Reached(), {id(x): x for x in leave_out}
    pending = list(roots)
    while pending:
        one = pending.pop()
        one = raw(one) if isinstance(one, keras.Variable) else one
        if id(one) in seen:
            continue
        seen[id(one)] = one  # kept, so that its id is not reused
        if holds_state(one):
            found.variables.append(one)
            continue
        if isinstance(one, keras.optimizers.Optimizer):
            found.optimizers.append(one)
        if _is_own(type(one)) and hasattr(one, "__dict__"):
            found.attributes.append(vars(one))
        pending += _within(one)
    return found


def numbers_in(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers, arrays and tensors among attributes: a step may set them."""
    kinds = numbers.Number, np.ndarray
    return {
        k: x
        for k, x in attributes.items()
        if (isinstance(x, kinds) and not isinstance(x, bool)) or ops.is_tensor(x)
    }


def _within(one: Any) -> Iterator[Any]:
    """Yield what an object holds."""
    if isinstance(one, Mapping):
        yield from one.values()
    elif isinstance(one, list | tuple | set | frozenset):
        yield from one
    elif isinstance(one, keras.optimizers.Optimizer):
        yield from one.variables
    elif isinstance(one, functools.partial):
        yield from (one.func, one.args, one.keywords)
    elif isinstance(one, types.MethodType):
        yield from (one.__func__, one.__self__)
    elif isinstance(one, types.FunctionType):
        yield from _referred(one)
    elif _is_own(type(one)) or isinstance(one, HOLDERS + modules()):
        yield getattr(one, "__dict__", {})
        yield from (vars(cls) for cls in type(one).__mro__ if _is_own(cls))


def _referred(function: types.FunctionType) -> Iterator[Any]:
    """Yield the objects that the code of a user's function refers to."""
    if not _is_own(function):
        return
    cells = function.__closure__ or ()
    yield [cell.cell_contents for cell in cells if cell != types.CellType()]
    yield function.__defaults__ or ()
    names = function.__code__.co_names
    yield [function.__globals__[k] for k in names if k in function.__globals__]


def _is_own(one: Any) -> bool:
    """Return whether a class or function is a user's, not from a known library."""
    if not isinstance(one, type | types.FunctionType):
        return False
    package = str(one.__module__).partition(".")[0]
    return package not in LIBRARIES and package not in sys.stdlib_module_names | {
        "builtins"
    }
