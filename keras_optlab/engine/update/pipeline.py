"""One update: from gradients to the new values of weights and slots.

gradient -> penalties -> clipping -> gradient transforms -> rule -> update transforms
         -> added to the weight -> proximal step -> moving average

Decoupled weight decay changes the weight before the rule reads it.

If no stage needs the updates of all weights together, each weight runs through all
stages on its own. This can be one fused kernel, which also writes the new values.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

from keras import ops

from keras_optlab.core import Values
from keras_optlab.core.numerics import wide_sum
from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.commit import commit, not_inlined, writes_at_once
from keras_optlab.engine.backend.norms import global_norm
from keras_optlab.engine.backend.variables import Pairs, cast, in_place, read
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.fused import fused_form
from keras_optlab.engine.hyperparameters.per_step import StepHyperparameters
from keras_optlab.engine.update.moving_average import with_averages
from keras_optlab.engine.update.statistic_averages import averages_in_step
from keras_optlab.engine.weights.parameter import Parameter, Slots
from keras_optlab.engine.weights.quantized import stored_in
from keras_optlab.engine.weights.weight_update import WeightUpdate, slot_values
from keras_optlab.transforms.adaptive_clip import adaptive_clip
from keras_optlab.transforms.clip import (
    clip_by_global_norm,
    clip_by_norm,
    clip_by_value,
)


class Update:
    """The computation of one update.

    Args:
        optimizer: The optimizer, built.
        parameters: The weights and buckets that have a gradient and are not frozen.
        gradients: Dense gradients of these weights, summed over replicas.
        scalars: The hyperparameters of this update.
        record: Whether to record statistics.
        norm: The global norm of these gradients, if it is known.
        changes_if: By index of a weight: whether it and its slots change.
        applies: Whether the update applies; `None`: always. Read only where a step does
            not branch, by kernels that write at once.
    """

    def __init__(
        self,
        optimizer: BuiltOptimizer,
        parameters: list[Parameter],
        gradients: list[Tensor],
        scalars: StepHyperparameters,
        record: bool,
        norm: Tensor | None = None,
        changes_if: dict[int, Tensor] | None = None,
        applies: Tensor | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.parameters = parameters
        self.gradients = gradients
        self.record = record
        self.norm = norm
        self.changes_if = changes_if or {}
        self.scalars = scalars
        self.done, self.t = scalars.done, scalars.t
        self.one = WeightUpdate(
            optimizer, scalars.cast, self.done, scalars.times, self.changes_if
        )
        self.clippings: list[tuple[list[Tensor], list[Tensor]]] = []
        self.pairs: Pairs = []
        self.fused = fused_form(self.one, applies)

    def compute(self) -> Pairs:
        """Run the update; return the (variable, new value) pairs not yet written."""
        optimizer = self.optimizer
        g = self._in_dtypes_of_rules(self.gradients)
        penalties = any(
            h.l1 is not None or h.l2 is not None for h in self.scalars.cast.values()
        )
        given, unclipped = g, self._each(self._penalized, g) if penalties else g
        g = self._transform("gradient", self._clip(unclipped))
        if optimizer.needs_sums:
            self.scalars = self.scalars.with_sums(optimizer, self._sums(g))
            self.one.cast = self.scalars.cast
        if self.record:
            self._record(given, unclipped, g)
        if optimizer.update_transforms or optimizer.averages:
            self._advance_together(g)
        else:
            rows = zip(self.parameters, g, strict=True)
            if self.may_fuse and not self.changes_if:
                rows = self.fused.update_all(self.parameters, g)
            for p, x in rows:
                self._advance(p, x)
            self.fused.finish()
        self.pairs = self._unchanged_unless(self.pairs)
        self.pairs += self.scalars.pairs(optimizer, self.parameters)
        self.pairs += averages_in_step(optimizer, self.scalars)
        self.pairs.append((optimizer.updates, self.done + 1))
        optimizer.update_is_checked = True
        return self.pairs

    def _in_dtypes_of_rules(self, g: list[Tensor]) -> list[Tensor]:
        names = {x: str(x) for x in {x.dtype for x in g}}
        rows = zip(self.parameters, g, strict=True)
        if all(names[x.dtype].endswith(p.dtype) for p, x in rows):
            return g
        return self._each(lambda p, x: cast(x, p.dtype), g)

    def _advance_together(self, g: list[Tensor]) -> None:
        """Run each stage for all weights before the next stage."""
        w, u, s = self._changes(g)
        new = self._each(self.one.stepped, w, u)
        s = self._each(self.one.after_step, new, s)
        for p, values in zip(self.parameters, s, strict=True):
            self.pairs += self.one.stored(p.slots, values)
        self._write_weights(new)

    def _changes(
        self, g: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor], list[Values]]:
        """Return the weights after weight decay, the updates, and the next slots."""
        w = self._each(self.one.decayed, self.w)
        slots = [p.slots for p in self.parameters]
        u, s = map(list, zip(*self._each(self.one.rule, w, g, slots), strict=True))
        return w, self._transform("update", u, g), s

    def _advance(self, p: Parameter, g: Tensor) -> None:
        """Run all stages for one weight, as a fused update if that is faster."""
        always = p.index not in self.changes_if
        if always and self.may_fuse and p.owns_slots and self.fused.update_weight(p, g):
            return
        pairs = self.fused.next_values(p, g)
        if always and writes_at_once(p.members[0].variable):
            commit(pairs)
        else:
            self.pairs += pairs

    @cached_property
    def may_fuse(self) -> bool:
        """Whether updates may be fused: elementwise, and written in place."""
        return self.optimizer.plan.elementwise and in_place(self.optimizer.updates)

    @cached_property
    def w(self) -> list[Tensor]:
        """The weights before the update, in the dtype that the rule computes in."""
        return self._each(self.one.weight)

    def _each(self, stage: Callable[..., Tensor], *tensors: list[Tensor]) -> list[Any]:
        """Apply a stage to each parameter and its tensors."""
        return [stage(*row) for row in zip(self.parameters, *tensors, strict=True)]

    def _members(self) -> list[Parameter]:
        """Return all weights, with each bucket split into its weights."""
        return [p for one in self.parameters for p in one.members]

    def _apart(self, xs: list[Tensor]) -> list[Tensor]:
        """Return the tensors of all weights, with those of buckets split."""
        return [y for ys in self._each(lambda p, x: p.split(x), xs) for y in ys]

    # The stages, in order.

    def _penalized(self, p: Parameter, g: Tensor) -> Tensor:
        """Add the gradient of the penalties l1 |w| and l2 w²."""
        h = self.one.h(p)
        if p.regularized and h.l2 is not None:
            g = g + 2 * h.l2 * self.one.weight(p)
        if p.regularized and h.l1 is not None:
            g = g + h.l1 * ops.sign(self.one.weight(p))
        return g

    def _clip(self, g: list[Tensor]) -> list[Tensor]:
        """Apply the clipping arguments, of which at most one is set."""
        h, before = self.scalars.base, g
        if h.global_clipnorm is not None:
            g = clip_by_global_norm(g, h.global_clipnorm, self._global_norm(g))
        elif h.clipnorm is not None:
            g = [clip_by_norm(x, ops.cast(h.clipnorm, x.dtype)) for x in g]
        elif h.clipvalue is not None:
            g = [clip_by_value(x, ops.cast(h.clipvalue, x.dtype)) for x in g]
        elif h.adaptive_clipnorm is not None:
            ratio = h.adaptive_clipnorm
            g = [
                adaptive_clip(x, y, ops.cast(ratio, x.dtype))
                for x, y in zip(g, self.w, strict=True)
            ]
        else:
            return g
        self.clippings.append((before, g))
        return g

    def _global_norm(self, g: list[Tensor]) -> Tensor:
        """Return the global norm; reuse `norm` if the gradients are unchanged."""
        same = all(x is y for x, y in zip(g, self.gradients, strict=True))
        return global_norm(g) if self.norm is None or not same else self.norm

    def _transform(
        self,
        side: str,
        xs: list[Tensor],
        g: list[Tensor] | None = None,
    ) -> list[Tensor]:
        """Apply the transforms of one side in order; `g` is `xs` if not given."""
        gradient_side = self.optimizer.gradient_transforms
        update_side = self.optimizer.update_transforms
        chosen, start = (
            (gradient_side, 0)
            if side == "gradient"
            else (update_side, len(gradient_side))
        )
        for i, transform in enumerate(chosen, start):
            slots = [p.transform_slots[i] for p in self.parameters]
            shared = self.optimizer.plan.transform_shared[i]
            h = self.scalars.transforms[i]
            seen = self._each(self._seen, self.w, g or xs)
            before = xs
            xs, s, z = transform.run(
                xs, seen, [_values(x) for x in slots], _values(shared), h
            )
            for variables, values in zip([*slots, shared], [*s, z], strict=True):
                self._write_slots(variables, values)
            if transform.clips:
                self.clippings.append((before, xs))
        return xs

    def _seen(self, p: Parameter, w: Tensor, g: Tensor) -> Values:
        """Return the values that a transform can read besides its own state."""
        h = self.one.h(p)
        return Values(
            w=w,
            g=g,
            t=self.t,
            count=self.done + 1,
            learning_rate=h.learning_rate,
            decays=p.regularized,
            decay_factor=h.decay_factor if p.corrected else 1.0,
        )

    def _sums(self, g: list[Tensor]) -> Values:
        """Return the values of the rule's `local_sums`, summed over all weights."""

        def measured(p: Parameter, w: Tensor, g: Tensor) -> Values:
            t, s = ops.cast(self.one.t[p.key], p.dtype), slot_values(p.slots, p.dtype)
            return self.optimizer.local_sums(
                w, g, s, self.one.rule_hyperparameters(p), t
            )

        rows = self._each(measured, self._each(self.one.decayed, self.w), g)
        names = [name for name, _ in rows[0].items()]
        return Values(
            **{name: wide_sum([getattr(row, name) for row in rows]) for name in names}
        )

    def _unchanged_unless(self, pairs: Pairs) -> Pairs:
        """Replace the new slots of weights that must not change by the current ones."""
        if not self.changes_if:
            return pairs
        owners = {
            id(slot): self.changes_if[p.index]
            for p in self.parameters
            if p.index in self.changes_if
            for slots in (p.slots, *p.transform_slots)
            for whole in slots.values()
            for slot in stored_in(whole)
        }
        return [
            (v, ops.where(owners[id(v)], x, read(v)) if id(v) in owners else x)
            for v, x in pairs
        ]

    # New values, with their variables.

    def _write_weights(self, new: list[Tensor]) -> None:
        if self.optimizer.averages:
            values = {p.index: x for p, x in zip(self.parameters, new, strict=True)}
            self.pairs += with_averages(self.optimizer, self.scalars, values)
            return
        for p, x in zip(self.parameters, new, strict=True):
            self.pairs.append((p.variable, ops.cast(x, p.variable.dtype)))

    def _write_slots(self, variables: Slots, values: Values) -> None:
        self.pairs += [(variables[name], x) for name, x in values.items()]

    # Statistics: only at the updates for which a callback requests them.

    def _record(
        self, given: list[Tensor], unclipped: list[Tensor], g: list[Tensor]
    ) -> None:
        """Queue statistics, computed separately so that the update is not affected."""
        optimizer, variables = self.optimizer, []
        live = [p.index for p in optimizer.plan.trainable]

        def compute() -> list[Tensor]:
            beside = copy.copy(self)
            beside.pairs, beside.clippings = [], list(self.clippings)
            _, u, _ = beside._changes(g)
            pairs = optimizer.recorder.record(
                t=self.done + 1,
                rows=[live.index(p.index) for p in self._members()],
                unpenalized=self._apart(given),
                gradient=self._apart(unclipped),
                transformed=self._apart(g),
                update=self._apart(u),
                weight=[self.one.weight(p) for p in self._members()],
                clippings=[
                    (self._apart(a), self._apart(b)) for a, b in beside.clippings
                ],
            )
            variables.extend(v for v, _ in pairs)
            return [x for _, x in pairs]

        values = not_inlined(compute)
        self.pairs += zip(variables, values, strict=True)


def _values(variables: Slots) -> Values:
    return Values(**{name: read(v) for name, v in variables.items()})
