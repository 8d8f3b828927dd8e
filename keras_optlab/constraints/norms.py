"""Euclidean norms along axes of a weight, and rescaling to other norms."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_optlab.core import Option
from keras_optlab.core.errors import shown
from keras_optlab.core.number_checks import is_integer
from keras_optlab.core.numerics import wide
from keras_optlab.core.types import Tensor

Axes = int | list[int] | None


def Axis() -> Any:
    """Declare the axes that a norm sums over."""
    return Option(
        default=0,
        doc="axes of a norm",
        check=check_axis,
        domain="an integer, a list of integers, or None",
    )


def check_axis(axis: Any) -> Axes:
    """Return an int, a list of ints, or `None` for all axes."""
    several = list(axis) if isinstance(axis, list | tuple) else [axis]
    for a in several:
        if not is_integer(a):
            several = []
    if axis is not None and not several:
        raise TypeError(
            "expected an integer, a list of integers, or None for all axes. "
            f"Received: axis={shown(axis)}"
        )
    return axis if axis is None or isinstance(axis, int) else list(map(int, several))


def in_range(w: Tensor, axis: Axes) -> Axes:
    """Return the axes, or raise if the weight lacks one; `None` is all axes."""
    rank = len(w.shape)
    for a in [] if axis is None else axis if isinstance(axis, list) else [axis]:
        if not -rank <= a < rank:
            raise ValueError(
                f"A constraint along axis {a} needs a weight that has this axis. "
                f"Received: axis={shown(axis)} and a weight of shape {tuple(w.shape)}. "
                "Change `axis`, or constrain other weights."
            )
    return axis


def norms(w: Tensor, axis: Axes) -> Tensor:
    """Return norms along axes, which keep length 1; in float32 or wider.

    The norm of a scalar is its absolute value, whatever the axes.
    """
    along = in_range(w, axis) if len(w.shape) else None
    return ops.sqrt(ops.sum(ops.square(wide(w)), axis=along, keepdims=True))


def rescale(w: Tensor, present: Tensor, desired: Tensor) -> Tensor:
    r"""Return $w \cdot \text{desired} / (\epsilon + \text{present})$ in its dtype."""
    scale = desired / (keras.config.epsilon() + present)
    return ops.cast(ops.cast(w, scale.dtype) * scale, w.dtype)


def like(threshold: Any, x: Tensor) -> Tensor:
    """Return a number or a scalar tensor in the dtype of `x`."""
    return ops.convert_to_tensor(threshold, x.dtype)
