"""Fused updates on torch's CPU: torch's own kernels, else the rule compiled.

To compile takes some seconds. It is therefore done only once the plain form has been
through so many entries that it has cost as much.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary

import torch

from keras_optlab.core import Record
from keras_optlab.core.numerics import DecayRate
from keras_optlab.engine.backends import on_cpu, raw
from keras_optlab.engine.fused import form
from keras_optlab.engine.fused.torch_kernels import kernel_for
from keras_optlab.engine.parameter import Parameter, Slots

Tensor = Any
Step = Callable[..., None]

EARNED = 2**29  # entries updated in the plain form before the rule is compiled


class Compiled:
    """What one optimizer has compiled, and how long it has done without.

    Attributes:
        steps: The compiled steps.
        plain: Number of entries that were updated in the plain form.
        fails: Whether this machine cannot compile.
    """

    def __init__(self) -> None:
        self.steps: dict[Hashable, Step] = {}
        self.plain = 0
        self.fails = False


of_optimizers: WeakKeyDictionary[Any, Compiled] = WeakKeyDictionary()


class OnTorch(form.Form):
    """The fused updates of one step."""

    def pays(self, p: Parameter) -> bool:
        """Return whether a weight is big, and stored as kernels expect it."""
        first = p.members[0].variable
        big = p.size >= form.WORTH_IT
        return big and on_cpu(first) and raw(first).is_contiguous()

    @torch.no_grad()
    def advance(self, p: Parameter, g: Tensor) -> None:
        """Take a weight and its slots to their new values, in place."""
        bucket = p.members != [p]
        w = self.update.weight(p) if bucket else raw(p.variable).detach()
        slots = {name: raw(v).detach() for name, v in p.slots.items()}
        if kernel := self._kernel(p):
            kernel(w, slots, g.contiguous())
        else:
            self._run(p, w, slots, g)
        if bucket:
            p.variable.assign(w)

    def _kernel(self, p: Parameter) -> Callable[..., None] | None:
        update = self.update
        if not form.all_float32(p) or update.shrinks(p):
            return None
        h, name = update.h[p.group], update.optimizer.registry_name
        return kernel_for(name, h, set(p.slots), update.decays(p))

    def _run(self, p: Parameter, w: Tensor, slots: Slots, g: Tensor) -> None:
        """Run the compiled step, or the plain one."""
        compiled = of_optimizers.setdefault(self.update.optimizer, Compiled())
        if compiled.fails or compiled.plain < EARNED:
            compiled.plain += p.size
            write(self.update.next_values(p, w, slots, g))
            return
        scalars = Scalars(self.update, p)
        inputs = w.view(-1), {k: v.view(-1) for k, v in slots.items()}, g.reshape(-1)
        key = p.group, p.dtype, p.variable.dtype, p.regularized, scalars.kinds
        try:
            if key not in compiled.steps:
                step = traced(self.update, p, scalars, *inputs)
                compiled.steps[key] = torch.compile(step, dynamic=True)
            compiled.steps[key](*inputs, scalars.tensors)
        except Exception as error:  # noqa: BLE001  # of whatever kind: go on without
            compiled.fails = True
            warnings.warn(
                "torch.compile does not work here, so the update stays uncompiled and "
                f"slower. Received: {type(error).__name__}: {error}",
                stacklevel=2,
            )
            self._run(p, w, slots, g)


class Scalars:
    """What a rule reads beside tensors: the number of the update, and scalars.

    Attributes:
        tensors: Those that may change: the number of the update, then the others.
        kinds: The type of every scalar; what is no tensor stays as it is.
    """

    def __init__(self, update: Any, p: Parameter) -> None:
        self.h = update.cast[p.group, p.dtype]
        self.kinds = tuple(type(x) for _, x in self.h.items())
        rest = [x.rest if isinstance(x, DecayRate) else x for _, x in self.h.items()]
        self.tensors = [update.t, *(x for x in rest if isinstance(x, torch.Tensor))]

    def read(self, tensors: list[Tensor]) -> tuple[Tensor, Record]:
        """Return the number of the update, and the record, with these tensors."""
        t, *others = tensors
        remaining = iter(others)

        def put(x: Any) -> Any:
            if isinstance(x, DecayRate):
                return DecayRate(next(remaining))
            return next(remaining) if isinstance(x, torch.Tensor) else x

        return t, Record(**{name: put(x) for name, x in self.h.items()})


def traced(update: Any, p: Parameter, scalars: Scalars, *inputs: Any) -> Step:
    """Return a weight's step as a graph of torch's operations, for tensors alike."""
    from torch.fx.experimental.proxy_tensor import make_fx

    def step(w: Tensor, slots: Slots, g: Tensor, tensors: list[Tensor]) -> None:
        other = copy.copy(update)
        other.t, h = scalars.read(tensors)
        other.cast = {(p.group, p.dtype): h}
        write(other.next_values(p, w, slots, g))

    return make_fx(step, tracing_mode="symbolic")(*inputs, scalars.tensors)


def write(pairs: list[tuple[Tensor, Tensor]]) -> None:
    """Write each value into its tensor."""
    for tensor, value in pairs:
        tensor.copy_(value)
