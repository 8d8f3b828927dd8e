"""Checks of what a rule's `update` returns: shapes, dtypes and finite values."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_optlab.core import Values
from keras_optlab.core.types import Tensor
from keras_optlab.engine.contract import BuiltOptimizer


def checked_update(
    optimizer: BuiltOptimizer, w: Tensor, g: Tensor, s: Values, h: Values, t: Tensor
) -> tuple[Tensor, Values]:
    """Call the rule's `update`; check its result until one step has been computed."""
    result = optimizer.update(w, g, s, h, t)
    if not optimizer.update_is_checked:
        _check(f"`update` of {type(optimizer).__name__}", w, s, result)
    return result


def unless_failed(u: Tensor, new: Values, old: Values) -> tuple[Tensor, Values]:
    """Return a step and slots; if one is not finite, a zero step and the old slots.

    Squares of finite gradients can overflow, and a matrix decomposition can fail.
    """
    made = [u, *(x for _, x in new.items())]
    held = ops.all(ops.stack([ops.all(ops.isfinite(x)) for x in made]))
    kept = {k: ops.where(held, x, getattr(old, k)) for k, x in new.items()}
    return ops.where(held, u, ops.zeros_like(u)), Values(**kept)


def _check(who: str, w: Tensor, s: Values, result: Any) -> None:
    """Raise unless a result is a step like the weight, and all its slots.

    Raises:
        TypeError: if a part is missing, or of another type or dtype.
        ValueError: if a shape or the names of the slots differ.
    """
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            f"{who} must return the step and the slots, as in "
            f"`return step, s.next(m=m)`. Received: {_shown(result)}"
        )
    step, slots = result
    _check_form(f"{who} must return a step like the weight", w, step)
    if not isinstance(slots, Values):
        raise TypeError(
            f"{who} must return the slots as second value, `s` or `s.next(...)`. "
            f"Received: {_shown(slots)}"
        )
    names, returned = ([name for name, _ in x.items()] for x in (s, slots))
    if set(names) != set(returned):
        raise ValueError(
            f"{who} must return the slots {names}; use `s.next(...)`. "
            f"Received: {returned}"
        )
    for name, x in slots.items():
        _check_form(f"{who} must keep the slot {name!r}", getattr(s, name), x)


def _check_form(expected: str, like: Tensor, x: Any) -> None:
    """Raise unless `x` is a tensor with the shape and dtype of `like`."""
    if not keras.ops.is_tensor(x):
        raise TypeError(f"{expected}, a tensor. Received: {_shown(x)}")
    shape, wanted = tuple(x.shape), tuple(like.shape)
    if None not in shape + wanted and shape != wanted:
        raise ValueError(f"{expected}, of shape {wanted}. Received: shape {shape}")
    dtype, wanted = (keras.backend.standardize_dtype(y.dtype) for y in (x, like))
    if dtype != wanted:
        raise TypeError(f"{expected}, of type {wanted}. Received: type {dtype}")


def _shown(x: Any) -> str:
    if keras.ops.is_tensor(x):
        return f"a tensor of shape {tuple(x.shape)}"
    if isinstance(x, tuple):
        return f"a tuple of {len(x)}"
    return repr(x)
