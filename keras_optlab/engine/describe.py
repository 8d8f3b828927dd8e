"""A table of an optimizer's weights: what the rule sees, slots, groups."""

from __future__ import annotations

import math

from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.weights.parameter import Parameter

TITLES = "weight", "shape", "seen as", "slots", "group"


def describe(optimizer: BuiltOptimizer) -> str:
    """Return the table.

    Raises:
        ValueError: if the optimizer has not been built.
    """
    name = type(optimizer).__name__
    if not optimizer.built:
        raise ValueError(
            "`describe` needs the weights. Received: an optimizer that has not been "
            "built. Train a step first, or call "
            "`optimizer.build(model.trainable_variables)`."
        )
    parameters = optimizer.plan.parameters
    entries = sum(p.size for p in parameters)
    state = sum(math.prod(v.shape) for p in parameters for v in p.slots.values())
    rows = [TITLES, *(_row(optimizer, p) for p in parameters)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(x.ljust(n) for x, n in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    first = (
        f"{name}: {len(parameters)} weights with {entries:,} entries, "
        f"{state:,} numbers of state"
    )
    return "\n".join([first, *lines])


def _row(optimizer: BuiltOptimizer, p: Parameter) -> tuple[str, ...]:
    group = repr(optimizer.groups[p.group]) if p.group >= 0 else ""
    shape = tuple(p.variable.shape)
    return p.path, str(shape), _seen(optimizer, p), ", ".join(p.slots), group


def _seen(optimizer: BuiltOptimizer, p: Parameter) -> str:
    """Return as what the rule sees a weight."""
    if p.frozen:
        return "frozen"
    if not optimizer.sees_matrices:
        return "entries" if optimizer.plan.elementwise else "as it is"
    if p.matrices is None:
        return "no matrix" if len(p.variable.shape) > 1 else "vector"
    return p.matrices.in_words()
