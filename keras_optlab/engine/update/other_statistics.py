"""A second set of the running statistics of normalization layers.

If training and evaluation weights differ, so do the statistics of the activations. An
optimizer with evaluation weights keeps the set that the model does not hold, as it
keeps the other weights. Averages of weights (EMA) come with averages of the statistics;
the statistics for other evaluation weights (SWA) are computed anew from data. Training
never reads the second set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.commit import commit
from keras_optlab.engine.backend.normalization import (
    normalization_layers,
    running_statistics,
)
from keras_optlab.engine.backend.variables import (
    Pairs,
    flatten,
    read,
    to_numpy,
    unflatten,
)
from keras_optlab.engine.contract import BuiltOptimizer

Average = Callable[[int, Tensor, Tensor], Tensor]  # of a group: old average, new value


@dataclass
class Part:
    """The statistics of the layers of one group of weights.

    Attributes:
        variables: The statistics that the model holds.
        copy: The others, as one vector.
        group: The group; -1 for none.
    """

    variables: list[Variable]
    copy: Variable
    group: int

    def now(self) -> Tensor:
        """Return the statistics that the model holds, as one vector."""
        return flatten([ops.cast(read(v), self.copy.dtype) for v in self.variables])

    def apart(self, x: Tensor) -> Pairs:
        """Return the model's statistics with their values from a vector."""
        values = zip(self.variables, unflatten(x, self.variables), strict=True)
        return [(v, ops.cast(y, v.dtype)) for v, y in values]


class OtherStatistics:
    """The running statistics that a model does not hold at the moment.

    Args:
        optimizer: The optimizer, built.
        name: Name of the set.
        layers: The normalization layers of its weights.

    Attributes:
        parts: The statistics, by group.
        written: Number of updates that had been made when the copies were written.
            Only if no update has followed do they belong to the present weights.
        replaced: Whether weights were set by hand, so that computed statistics are
            those of other weights.
    """

    def __init__(self, optimizer: BuiltOptimizer, name: str, layers: list[Any]) -> None:
        self.optimizer, self.replaced = optimizer, False
        self.parts = [
            Part(variables, _add(optimizer, f"{name}{i}", variables), group)
            for i, (group, variables) in enumerate(_by_group(optimizer, layers))
        ]
        self.written = _add_count(optimizer, f"{name}_written")

    @property
    def own(self) -> dict[str, Variable]:
        """The optimizer's variables, by the names under which they are saved."""
        copies = {str(i): part.copy for i, part in enumerate(self.parts)}
        return copies | {"written": self.written}

    @property
    def variables(self) -> list[Variable]:
        """All variables that a switch reads or writes."""
        return [v for part in self.parts for v in part.variables] + [*self.own.values()]

    def is_current(self) -> bool:
        """Return whether the copies belong to the present weights."""
        now = int(to_numpy(self.optimizer.updates))
        return now > 0 and int(to_numpy(self.written)) == now

    def swapped(self) -> Pairs:
        """Return both sets exchanged; unchanged if the copies are out of date."""
        current, pairs = self._current(), []
        for part in self.parts:
            now, other = part.now(), read(part.copy)
            pairs += part.apart(ops.where(current, other, now))
            pairs.append((part.copy, ops.where(current, now, other)))
        return pairs

    def averaged(self, average: Average, done: Tensor) -> Pairs:
        """Return the copies, with the model's statistics added to their average.

        Args:
            average: Returns the next average.
            done: Number of updates before this one.
        """
        unbroken, pairs = read(self.written) == done, []
        for part in self.parts:
            now, mean = part.now(), read(part.copy)
            new = average(part.group, mean, now)
            pairs.append((part.copy, ops.where(unbroken, new, now)))
        return [*pairs, (self.written, done + 1)]

    def taken_over(self) -> Pairs:
        """Return the model's statistics, replaced by the copies if current."""
        current, pairs = self._current(), []
        for part in self.parts:
            pairs += part.apart(ops.where(current, read(part.copy), part.now()))
        return pairs

    def keep(self, values: Sequence[Any]) -> None:
        """Write statistics of the present weights into the copies, by part."""
        for part, x in zip(self.parts, values, strict=True):
            part.copy.assign(ops.convert_to_tensor(x, part.copy.dtype))
        self.written.assign(ops.copy(read(self.optimizer.updates)))

    def held(self) -> list[np.ndarray]:
        """Return the statistics that the model holds."""
        return [ops.convert_to_numpy(part.now()) for part in self.parts]

    def follow(self, before: list[np.ndarray]) -> None:
        """Copy the model's statistics where they changed, for both sets."""
        for part, old, new in zip(self.parts, before, self.held(), strict=True):
            copy = np.where(old == new, to_numpy(part.copy), new)
            part.copy.assign(copy)

    def _current(self) -> Tensor:
        now, written = read(self.optimizer.updates), read(self.written)
        return ops.logical_and(now > 0, written == now)


def add_statistics(optimizer: BuiltOptimizer) -> None:
    """Create the second sets that a built optimizer needs, if its models are known."""
    if not optimizer.built:
        return
    for needed, attribute in (
        (optimizer.has_evaluation_weights, "evaluation_statistics"),
        (optimizer.use_ema, "ema_statistics"),
    ):
        if needed and getattr(optimizer, attribute) is None:
            layers = _layers_of(optimizer)
            if layers:
                found = OtherStatistics(optimizer, attribute, layers)
                setattr(optimizer, attribute, found)


def second_sets(optimizer: BuiltOptimizer) -> dict[str, OtherStatistics]:
    """Return the second sets that an optimizer has, by the names of their files."""
    both = {
        "evaluation": optimizer.evaluation_statistics,
        "average": optimizer.ema_statistics,
    }
    return {name: found for name, found in both.items() if found is not None}


def averaged_statistics(optimizer: Any) -> list[tuple[Variable, np.ndarray]]:
    """Return the statistics of a model with their averages, for any Keras optimizer."""
    found: OtherStatistics | None = getattr(optimizer, "ema_statistics", None)
    if found is None or not found.is_current():
        return []
    pairs = [pair for part in found.parts for pair in part.apart(read(part.copy))]
    return [(v, ops.convert_to_numpy(x)) for v, x in pairs]


def write(pairs: Pairs) -> None:
    """Write statistics outside of a step."""
    commit(pairs)


def _layers_of(optimizer: BuiltOptimizer) -> list[Any]:
    """Return the normalization layers of the weights that an optimizer trains."""
    own = {id(w) for w in optimizer.weights}
    found: dict[int, Any] = {}
    for model in optimizer.models:
        alone = not hasattr(getattr(model, "optimizer", None), "optimizers")
        for layer in normalization_layers(model):
            weights = {id(w) for w in layer.trainable_variables}
            if weights & own or (alone and not weights):
                found[id(layer)] = layer
    return list(found.values())


def _by_group(
    optimizer: BuiltOptimizer, layers: list[Any]
) -> list[tuple[int, list[Variable]]]:
    """Return the statistics of layers by the group of a weight of the layer."""
    groups = {id(p.variable): p.group for p in optimizer.plan.parameters}
    first = next((p.group for p in optimizer.plan.trainable), -1)
    found: dict[int, list[Variable]] = {}
    for layer in layers:
        own = [groups[id(w)] for w in layer.trainable_variables if id(w) in groups]
        group = next((g for g in own if g in optimizer.plan.shared), first)
        found.setdefault(group, []).extend(running_statistics(layer))
    return sorted(found.items())


def _add(optimizer: BuiltOptimizer, name: str, like: list[Variable]) -> Variable:
    wide = any("float64" in str(v.dtype) for v in like)
    return optimizer.add_variable(
        shape=(sum(math.prod(v.shape) for v in like),),
        dtype="float64" if wide else "float32",
        aggregation="only_first_replica",
        name=name,
    )


def _add_count(optimizer: BuiltOptimizer, name: str) -> Variable:
    return optimizer.add_variable(
        shape=(), dtype="int", aggregation="only_first_replica", name=name
    )
