"""One update: from gradients to the list of new values, without writing any.

gradient -> penalties -> clipping -> gradient transforms -> rule -> update transforms
         -> decoupled decay and proximal step -> moving average

Where nothing asks for all updates together, each weight is taken from its gradient to
its new value by itself, which can be compiled and is then written at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from keras import ops

from keras_optlab.core import Record
from keras_optlab.core.numerics import soft_threshold
from keras_optlab.engine.backends import Pairs, commit, raw, read
from keras_optlab.engine.kernels import Kernel, as_seen, kernel_for
from keras_optlab.engine.one_pass import Passes, pays
from keras_optlab.engine.plan import Parameter, Slots
from keras_optlab.engine.scalars import as_tensor, scalar_dtype
from keras_optlab.transforms.adaptive_clip import adaptive_clip
from keras_optlab.transforms.clip import (
    clip_by_global_norm,
    clip_by_norm,
    clip_by_value,
)

Tensor = Any
Variable = Any


class Update:
    """The computation of one update.

    Args:
        optimizer: The optimizer, built.
        parameters: The weights that have a gradient, none of them frozen.
        gradients: Dense gradients of these weights, summed over replicas.
        record: Whether to write the records that are due.
    """

    def __init__(
        self,
        optimizer: Any,
        parameters: list[Parameter],
        gradients: list[Tensor],
        record: bool,
    ) -> None:
        self.optimizer = optimizer
        self.parameters = parameters
        self.gradients = gradients
        self.record = record
        self.done = read(optimizer.updates)  # updates before this one
        self.t = ops.cast(self.done + 1, scalar_dtype())
        self.clippings: list[tuple[list[Tensor], list[Tensor]]] = []
        self.pairs: Pairs = []
        self.passes = Passes()
        self.kernels: dict[int, Kernel | None] = {}  # by group

    def compute(self) -> Pairs:
        """Return (variable, new value) for everything that has yet to change."""
        optimizer = self.optimizer
        self._prepare()
        g = self._each(lambda p, g: ops.cast(g, p.dtype), self.gradients)
        unclipped = self._each(self._penalized, g)
        g = self._transform("gradient", self._clip(unclipped))
        if self.record or optimizer.update_transforms or optimizer.averages:
            self._advance_together(unclipped, g)
        else:
            self._each(self._advance, g)
        self.pairs.append((optimizer.updates, self.done + 1))
        return self.pairs

    def _advance_together(self, unclipped: list[Tensor], g: list[Tensor]) -> None:
        """Take all weights through each stage together."""
        w = self._each(self._decayed, self.w)
        slots = self._each(lambda p: _values(p.slots))
        u, s = map(list, zip(*self._each(self._rule, w, g, slots), strict=True))
        for p, values in zip(self.parameters, s, strict=True):
            self._write_slots(p.slots, values)
        u = self._transform("update", u, g)
        if self.record:
            self._record(unclipped, g, u)
        self._write_weights(self._each(self._stepped, w, u))

    def _advance(self, p: Parameter, g: Tensor) -> None:
        """Take one weight through all stages, in one pass over memory where it pays."""
        if not (self.optimizer.elementwise and pays(p.variable)):
            self.pairs += self._next(p, p.variable, p.slots, g)
        elif kernel := self._kernel(p):
            slots = {name: raw(v).handle for name, v in p.slots.items()}
            if self._decays(p):
                commit([(p.variable, self._decayed(p, self._weight(p)))])
            kernel(raw(p.variable).handle, slots, g)
        else:
            agree = p.group, p.dtype, p.regularized
            slots = {name: raw(v) for name, v in p.slots.items()}
            self.passes.run(agree, partial(self._assign, p), raw(p.variable), slots, g)

    def _kernel(self, p: Parameter) -> Kernel | None:
        """Return a kernel that does what this weight needs, if there is one."""
        proximal = p.regularized and self._h(p).l1_proximal is not None
        if proximal or p.variable.dtype != "float32":
            return None
        if p.group not in self.kernels:
            optimizer, own = self.optimizer, as_seen(self.own[p.group])
            shared = _values(optimizer.plan.shared[p.group])
            h = optimizer.prepare(own, self.t, shared)[0].cast(p.dtype)
            kernel = kernel_for(optimizer.registry_name, h, set(p.slots))
            self.kernels[p.group] = kernel
        return self.kernels[p.group]

    def _assign(self, p: Parameter, w: Variable, slots: Slots, g: Tensor) -> None:
        commit(self._next(p, w, slots, g))

    def _next(self, p: Parameter, variable: Variable, slots: Slots, g: Tensor) -> Pairs:
        """Return the next values of a weight and of its slots.

        Of `p` no more is read than what weights in one compiled step agree in.
        """
        w = self._decayed(p, ops.cast(read(variable), p.dtype))
        u, s = self._rule(p, w, g, _values(slots))
        new = ops.cast(self._stepped(p, w, u), variable.dtype)
        return [(variable, new), *((slots[name], x) for name, x in s.items())]

    @cached_property
    def w(self) -> list[Tensor]:
        """The weights before the update, in the type that the rule computes in."""
        return self._each(self._weight)

    def _weight(self, p: Parameter) -> Tensor:
        return ops.cast(read(p.variable), p.dtype)

    def _each(self, stage: Callable[..., Tensor], *tensors: list[Tensor]) -> list[Any]:
        """Apply a stage to each parameter and its tensors."""
        return [stage(*row) for row in zip(self.parameters, *tensors, strict=True)]

    # Hyperparameters: once a step for each group, once more for each type in it.

    def _prepare(self) -> None:
        """Read every hyperparameter, and let the rule derive its scalars from them."""
        optimizer = self.optimizer
        base = optimizer.live.tensors(self.done)
        rate = ops.cast(optimizer.learning_rate, scalar_dtype())
        base = base.extend(learning_rate=rate * base.learning_rate_scale)
        self.base = base
        self.own: dict[int, Record] = {}  # by group, before `prepare`
        self.h: dict[int, Record] = {}  # and after
        for group, shared in optimizer.plan.shared.items():
            own = base if group < 0 else self._override(base, optimizer.groups[group])
            h, z = optimizer.prepare(own, self.t, _values(shared))
            self.own[group], self.h[group] = own, h
            self._write_slots(shared, z)
        self.cast: dict[tuple[int, str], Record] = {
            key: self.h[key[0]].cast(key[1])
            for key in {(p.group, p.dtype) for p in self.parameters}
        }

    def _override(self, base: Record, group: Any) -> Record:
        fields = self.optimizer.fields
        own = {
            name: as_tensor(fields[name], value, self.done)
            for name, value in group.hyperparameters.items()
        }
        return base.extend(
            learning_rate=base.learning_rate * group.learning_rate, **own
        )

    def _h(self, p: Parameter) -> Record:
        return self.cast[p.group, p.dtype]

    # The stages, in their order.

    def _penalized(self, p: Parameter, g: Tensor) -> Tensor:
        """Add the gradient of the penalties l1 |w| and l2 w²."""
        h = self._h(p)
        if p.regularized and h.l2 is not None:
            g = g + 2 * h.l2 * self._weight(p)
        if p.regularized and h.l1 is not None:
            g = g + h.l1 * ops.sign(self._weight(p))
        return g

    def _clip(self, g: list[Tensor]) -> list[Tensor]:
        """Apply the clipping arguments, of which at most one is set."""
        h, before = self.base, g
        if h.global_clipnorm is not None:
            g = clip_by_global_norm(g, h.global_clipnorm)
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

    def _transform(
        self,
        side: str,
        xs: list[Tensor],
        g: list[Tensor] | None = None,
    ) -> list[Tensor]:
        """Apply the transforms of one side in turn; gradients see themselves as g."""
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
            h = transform.live.tensors(self.done)
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

    def _seen(self, p: Parameter, w: Tensor, g: Tensor) -> Record:
        """Return what a transform may know of a tensor beside its own state."""
        return Record(w=w, g=g, t=self.t, learning_rate=self._h(p).learning_rate)

    def _decayed(self, p: Parameter, w: Tensor) -> Tensor:
        """Decoupled weight decay, before the step as Keras has it."""
        if not self._decays(p):
            return w
        h = self._h(p)
        return w - w * (h.weight_decay * h.learning_rate)

    def _decays(self, p: Parameter) -> bool:
        return p.regularized and self._h(p).weight_decay is not None

    def _rule(
        self, p: Parameter, w: Tensor, g: Tensor, s: Record
    ) -> tuple[Tensor, Record]:
        """Run the algorithm on one tensor."""
        return self.optimizer.update(w, g, s, self._h(p), ops.cast(self.t, p.dtype))

    def _stepped(self, p: Parameter, w: Tensor, u: Tensor) -> Tensor:
        """Take the step, then soft-threshold if asked: exact zeros."""
        h = self._h(p)
        if not p.regularized or h.l1_proximal is None:
            return w + u
        return soft_threshold(w + u, h.learning_rate * h.l1_proximal)

    # Values that follow from the new weights.

    def _write_weights(self, new: list[Tensor]) -> None:
        """Queue the weights and, with `use_ema`, their moving averages."""
        optimizer = self.optimizer
        values = {p.index: x for p, x in zip(self.parameters, new, strict=True)}
        for i, average in enumerate(optimizer.averages):
            if average is None:
                continue
            w = values.get(i, read(optimizer.weights[i]))
            mean = self._moving_average(read(average), ops.cast(w, average.dtype))
            self.pairs.append((average, mean))
            if optimizer.ema_overwrite_frequency:
                values[i] = self._overwritten(w, ops.cast(mean, w.dtype))
        for i, x in values.items():
            variable = optimizer.weights[i]
            self.pairs.append((variable, ops.cast(x, variable.dtype)))

    def _moving_average(self, mean: Tensor, w: Tensor) -> Tensor:
        started = ops.cast(self.done > 0, mean.dtype)
        momentum = started * self.optimizer.ema_momentum
        return momentum * mean + (1 - momentum) * w

    def _overwritten(self, w: Tensor, mean: Tensor) -> Tensor:
        every = self.optimizer.ema_overwrite_frequency
        return ops.where((self.done + 1) % every == 0, mean, w)

    def _write_slots(self, variables: Slots, values: Record) -> None:
        self.pairs += [(variables[name], x) for name, x in values.items()]

    # Records: only if a callback asked, and then only on the updates it asked for.

    def _record(
        self, unclipped: list[Tensor], g: list[Tensor], u: list[Tensor]
    ) -> None:
        optimizer = self.optimizer
        live = [p.index for p in optimizer.plan.live]
        self.pairs += optimizer.recorder.record(
            t=self.done + 1,
            rows=[live.index(p.index) for p in self.parameters],
            gradient=unclipped,
            transformed=g,
            update=u,
            weight=self.w,
            clippings=self.clippings,
        )


def _values(variables: Slots) -> Record:
    return Record(**{name: read(v) for name, v in variables.items()})
