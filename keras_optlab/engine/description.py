"""A table of an optimizer's weights: what the rule sees, slots, groups."""

from __future__ import annotations

import math

from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.weights.parameter import Parameter

TITLES = "weight", "shape", "seen as", "slots", "group"


class Description:
    """The method of an optimizer that describes its weights."""

    def describe(self: BuiltOptimizer) -> str:
        """Return a table of the weights: what the rule sees, slots, groups.

        Raises:
            ValueError: if the optimizer has not been built.

        >>> import keras
        >>> from keras_optlab import optimizers
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> optimizer = optimizers.SOAP()
        >>> model.compile(optimizer, "mse")
        >>> optimizer.build(model.trainable_variables)
        >>> print(optimizer.describe())  # doctest: +ELLIPSIS
        SOAP: 2 weights with 10 entries, 60 numbers of state
        weight...  shape   seen as       slots                   group
        ...kernel  (4, 2)  matrix 4 x 2  m, v, l_0, l_1, q_0, q_1
        ...bias    (2,)    vector        m, v
        """
        if not self.built:
            raise ValueError(
                "`describe` needs the weights. Received: an optimizer that has not "
                "been built. Train a step first, or call "
                "`optimizer.build(model.trainable_variables)`."
            )
        parameters = self.plan.parameters
        entries = sum(p.size for p in parameters)
        state = sum(math.prod(v.shape) for p in parameters for v in p.slots.values())
        rows = [TITLES, *(_row(self, p) for p in parameters)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(x.ljust(n) for x, n in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        first = (
            f"{type(self).__name__}: {len(parameters)} weights with {entries:,} "
            f"entries, {state:,} numbers of state"
        )
        return "\n".join([first, *lines])


def _row(optimizer: BuiltOptimizer, p: Parameter) -> tuple[str, ...]:
    group = optimizer.groups[p.group].match_in_words() if p.group >= 0 else ""
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
