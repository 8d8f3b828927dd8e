"""The hyperparameters of one update, and the scalars that `prepare` computes from them.

They do not depend on gradients. A step computes them outside of the branch that the
check for NaN gradients decides on, so that they do not wait for this check.
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
from keras_optlab.engine.hyperparameters.decay_correction import corrected
from keras_optlab.engine.hyperparameters.ranges import all_legal, as_scalar
from keras_optlab.engine.hyperparameters.variables import as_tensor, scalar_dtype
from keras_optlab.engine.weights.parameter import Parameter, Scalars


class StepHyperparameters:
    """All hyperparameters of the next update: a few scalars for each group.

    Args:
        optimizer: The optimizer, built.

    Attributes:
        done: Number of updates before this one.
        t: Number of this update, counted from 1.
        rate: The learning rate without its scale and the factors of groups.
        base: The values for weights in no group.
        own: The values for each group, by its position; -1 for weights in no group.
            Here and below, a section of the plan counts as a group.
        counts: Number of updates before this one, by group.
        times: Number of this update, counted from 1, by group.
        transforms: The arguments of each transform.
        legal: Whether all values of schedules and functions are in range; `None` if
            there are no schedules and functions.
        h: The values that the rule's `prepare` returned, by group.
        kernels: The same, from betas as a fused kernel rounds them.
        cast: The values for `update`, by the weights' `scalars`.
        z: The next values of the rule's shared state, by group.
        peaks: The variables of the corrected weight decay, with their next values.
    """

    def __init__(self, optimizer: BuiltOptimizer) -> None:
        self.done = read(optimizer.updates)
        self.t = ops.cast(self.done + 1, scalar_dtype())
        self.rate = read_rate(optimizer)
        self._moment = optimizer.moment(self.done)
        base = optimizer.scalars.tensors(self._moment)
        self.base = base.extend(
            learning_rate=self.rate * base.learning_rate_scale, count=self.done + 1
        )
        self.peaks: Pairs = []
        if optimizer.decay_correction is not None:
            factor, self.peaks = optimizer.decay_correction.factor(
                optimizer, self.rate, base.learning_rate_scale
            )
            self.base = self.base.extend(decay_factor=factor)
        self.transforms = [x.tensors(self._moment) for x in optimizer.transform_scalars]
        groups, sections = optimizer.plan.shared, optimizer.plan.sections
        self.counts: dict[int, Any] = dict.fromkeys(groups, self.done)
        self.counts |= {key: read(x.updates) for key, x in sections.items()}
        self.times: dict[int, Any] = dict.fromkeys(groups, self.t) | {
            key: ops.cast(self.counts[key] + 1, scalar_dtype()) for key in sections
        }
        self.own = {group: self._own(optimizer, group) for group in groups}
        self.legal = all_legal(optimizer, self)
        self.h: dict[int, Values] = {}
        self.kernels: dict[int, Values] = {}
        self.z: dict[int, Values] = {}
        change = kernel_rounding(optimizer)
        for group, shared in groups.items():
            z = Values(**{name: read(v) for name, v in shared.items()})
            own, t = self.own[group], self.times[group]
            self.h[group], self.z[group] = optimizer.prepare(own, t, z)
            if change:
                h, _ = optimizer.prepare(change(own), t, z)
                self.kernels[group] = h.cast("float32")
        self.cast = self._cast(optimizer)

    def with_sums(self, optimizer: BuiltOptimizer, sums: Values) -> StepHyperparameters:
        """Return a copy with the results of the rule's `use_sums`."""
        new, sums = copy.copy(self), sums.cast(scalar_dtype())
        both = {
            group: optimizer.use_sums(h, self.times[group], self.z[group], sums)
            for group, h in self.h.items()
        }
        new.h = {group: h for group, (h, _) in both.items()}
        new.z = {group: z for group, (_, z) in both.items()}
        new.cast = new._cast(optimizer)
        return new

    def pairs(self, optimizer: BuiltOptimizer, parameters: list[Parameter]) -> Pairs:
        """Return the variables of the shared state and the counts, with their values.

        Args:
            optimizer: The optimizer, built.
            parameters: The weights that are updated; other sections stay as they are.
        """
        plan = optimizer.plan
        updated = {p.key for p in parameters} if plan.sections else set()
        counts = [
            (section.updates, self.counts[key] + 1)
            for key, section in plan.sections.items()
            if key in updated
        ]
        return (
            self.peaks
            + counts
            + [
                (shared[name], x)
                for group, shared in plan.shared.items()
                if group not in plan.sections or (group in updated and plan.owns(group))
                for name, x in self.z[group].items()
            ]
        )

    def _cast(self, optimizer: BuiltOptimizer) -> dict[Scalars, Values]:
        """Return `h` in the dtypes of the weights, with corrected weight decay.

        If the rule has a fused kernel, which rounds betas, all float32 updates use the
        rounded betas, so that fused and other updates have the same results.
        """
        rounded = self.kernels

        def values(key: Scalars) -> Values:
            group, dtype = key.group, key.dtype
            fused = dtype == "float32" and group in rounded
            h = rounded[group] if fused else self.h[group].cast(dtype)
            return corrected(h) if key.corrected else h

        return {key: values(key) for key in optimizer.plan.scalars}

    def _own(self, optimizer: BuiltOptimizer, group: int) -> Values:
        """Return the values of a group; for -1, those of weights in no group."""
        if group in optimizer.plan.sections:
            of_group = self._own(optimizer, optimizer.plan.sections[group].group)
            return of_group.extend(count=self.counts[group] + 1)
        if group < 0:
            return self.base
        chosen, fields = optimizer.groups[group], optimizer.fields
        own = {
            name: as_tensor(fields[name], value, self._moment)
            for name, value in chosen.hyperparameters.items()
        }
        rate = self.base.learning_rate * chosen.learning_rate
        return self.base.extend(learning_rate=rate, **own)


def read_rate(optimizer: BuiltOptimizer) -> Any:
    """Return the learning rate of the next update, without its scale, as a scalar."""
    rate, driver = optimizer.learning_rate, optimizer.rate.source
    if not isinstance(rate, keras.Variable):
        rate = as_scalar("learning_rate", rate, driver)
    return ops.cast(rate, scalar_dtype())
