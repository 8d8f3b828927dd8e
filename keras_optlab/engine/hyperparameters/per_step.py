"""The hyperparameters of one update, and what the rule derives from them.

They need no gradient. Made before the guard, they are ready when it is, where within
the guarded branch they would begin only then.
"""

from __future__ import annotations

import copy
from typing import Any

import keras
from keras import ops

from keras_optlab.core import Values
from keras_optlab.engine.backend.variables import Pairs, read
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.fused import kernel_rounding
from keras_optlab.engine.hyperparameters.ranges import all_legal, as_scalar
from keras_optlab.engine.hyperparameters.variables import as_tensor, scalar_dtype


class StepHyperparameters:
    """Every hyperparameter of the update that comes next: a few scalars for each group.

    Args:
        optimizer: The optimizer, built.

    Attributes:
        done: Number of updates before this one.
        t: Number of this one, counted from 1.
        rate: The learning rate before its scale and the factors of groups.
        base: What is in no group has these.
        own: The values of each group; -1 is everything in no group.
        transforms: The arguments of each transform.
        legal: Whether all that schedules and functions gave is in range; `None` if
            they give nothing.
        h: What the rule derived, by group.
        cast: The same in the types of the weights, by group and type.
        z: The next values of the rule's shared state, by group.
    """

    def __init__(self, optimizer: BuiltOptimizer) -> None:
        self.done = read(optimizer.updates)
        self.t = ops.cast(self.done + 1, scalar_dtype())
        self.rate = read_rate(optimizer)
        base = optimizer.scalars.tensors(self.done)
        self.base = base.extend(
            learning_rate=self.rate * base.learning_rate_scale, count=self.done + 1
        )
        self.transforms = [x.tensors(self.done) for x in optimizer.transform_scalars]
        groups = optimizer.plan.shared
        self.own = {group: self._own(optimizer, group) for group in groups}
        self.legal = all_legal(optimizer, self)
        self.h: dict[int, Values] = {}
        self.kernels: dict[int, Values] = {}
        self.z: dict[int, Values] = {}
        change = kernel_rounding(optimizer)
        for group, shared in groups.items():
            z = Values(**{name: read(v) for name, v in shared.items()})
            own = self.own[group]
            self.h[group], self.z[group] = optimizer.prepare(own, self.t, z)
            if change:
                h, _ = optimizer.prepare(change(own), self.t, z)
                self.kernels[group] = h.cast("float32")
        self.cast = self._cast(optimizer)

    def with_sums(self, optimizer: BuiltOptimizer, sums: Values) -> StepHyperparameters:
        """Return the same with what the rule makes of sums over all weights."""
        new, sums = copy.copy(self), sums.cast(scalar_dtype())
        both = {
            group: optimizer.use_sums(h, self.t, self.z[group], sums)
            for group, h in self.h.items()
        }
        new.h = {group: h for group, (h, _) in both.items()}
        new.z = {group: z for group, (_, z) in both.items()}
        new.cast = new._cast(optimizer)
        return new

    def pairs(self, optimizer: BuiltOptimizer) -> Pairs:
        """Return the shared state with its next values."""
        return [
            (shared[name], x)
            for group, shared in optimizer.plan.shared.items()
            for name, x in self.z[group].items()
        ]

    def _cast(self, optimizer: BuiltOptimizer) -> dict[tuple[int, str], Values]:
        """Return what the rule derived in the types of the weights.

        Where kernels round decay factors, every form of the update rounds them alike,
        so that state goes from one form to another.
        """
        keys = {(p.group, p.dtype) for p in optimizer.plan.trainable}
        rounded = self.kernels
        return {
            (group, dtype): rounded[group]
            if dtype == "float32" and group in rounded
            else self.h[group].cast(dtype)
            for group, dtype in keys
        }

    def _own(self, optimizer: BuiltOptimizer, group: int) -> Values:
        """Return the values of a group, or else those of what is in none."""
        if group < 0:
            return self.base
        chosen, fields = optimizer.groups[group], optimizer.fields
        own = {
            name: as_tensor(fields[name], value, self.done)
            for name, value in chosen.hyperparameters.items()
        }
        rate = self.base.learning_rate * chosen.learning_rate
        return self.base.extend(learning_rate=rate, **own)


def read_rate(optimizer: BuiltOptimizer) -> Any:
    """Return the rate of the update that comes next, before its scale, as a scalar."""
    rate, driver = optimizer.learning_rate, optimizer.rate.source
    if not isinstance(rate, keras.Variable):
        rate = as_scalar("learning_rate", rate, driver)
    return ops.cast(rate, scalar_dtype())
