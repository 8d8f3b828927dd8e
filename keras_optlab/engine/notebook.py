"""What notebooks show for an optimizer: its groups, and the size of its state."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keras_optlab.core.errors import shown
from keras_optlab.core.notebooks import code, table
from keras_optlab.engine.contract import BuiltOptimizer


class Notebook:
    """The method of an optimizer that a notebook calls to show it."""

    def _repr_html_(self: BuiltOptimizer) -> str:
        """Return the optimizer as HTML."""
        heads = "group", "weights", "factor on the rate", "arguments"
        groups = table(heads, _rows(self)) if self.groups else ""
        return f"{code(self)}{groups}<p>{_state(self)}</p>"


def _rows(optimizer: BuiltOptimizer) -> list[list[Any]]:
    placed = [p.group for p in optimizer.plan.parameters] if optimizer.built else []
    rows = []
    for number, group in enumerate(optimizer.groups):
        given = (f"{k}={shown(v)}" for k, v in group.hyperparameters.items())
        count = placed.count(number) if optimizer.built else "not built yet"
        factor = "frozen" if group.frozen else f"{group.learning_rate:g}"
        rows.append([group.match_in_words(), count, factor, ", ".join(given)])
    return rows


def _state(optimizer: BuiltOptimizer) -> str:
    if not optimizer.built:
        return "No state yet: it is made for the weights in the first step."
    entries = sum(math.prod(p.variable.shape) for p in optimizer.plan.parameters)
    size = sum(_bytes(v) for v in optimizer.variables)
    return f"State: {_in_units(size)} for {entries:,} entries of weights."


def _bytes(variable: Any) -> int:
    one = 2 if variable.dtype == "bfloat16" else np.dtype(variable.dtype).itemsize
    return one * math.prod(variable.shape)


def _in_units(size: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"
