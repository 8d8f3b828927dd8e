"""Fused updates on torch's CPU: torch's own kernels, else `torch.compile`.

Compiling takes some seconds. It is therefore done only after the uncompiled updates
have taken about as long.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary

import torch

from keras_optlab.core import Values
from keras_optlab.core.numerics import BetaTensor
from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.keras_adapter import raw_value
from keras_optlab.engine.fused import form
from keras_optlab.engine.fused.torch_kernels import KERNELS, Kernel, has_kernel
from keras_optlab.engine.weights.parameter import Parameter, Slots
from keras_optlab.engine.weights.weight_update import WeightUpdate

Step = Callable[..., None]

COMPILE_AFTER = 2**29  # entries updated uncompiled before the rule is compiled


class Compiled:
    """The compiled steps of one optimizer, and a count of uncompiled work.

    Attributes:
        steps: The compiled steps.
        plain: Number of entries that were updated uncompiled.
        fails: Whether this machine cannot compile.
    """

    def __init__(self) -> None:
        self.steps: dict[Hashable, Step] = {}
        self.plain = 0
        self.fails = False


of_optimizers: WeakKeyDictionary[Any, Compiled] = WeakKeyDictionary()


class OnTorch(form.Form):
    """The fused updates of one step."""

    def __init__(self, update: WeightUpdate) -> None:
        super().__init__(update)
        name = update.optimizer.registry_name
        self.has_kernel = has_kernel(name, update.optimizer._values)
        self.kernels: dict[Hashable, Any] = {}
        self.lists: dict[Hashable, list[tuple[Parameter, Tensor]]] = {}

    def update_weight(self, p: Parameter, g: Tensor) -> bool:
        """Update a weight by a kernel if there is one, or compiled if it is large."""
        if torch.compiler.is_compiling():
            return False  # a user compiles the whole step
        known = self._kernel(p)
        if known is None and p.size < form.MIN_COMPILED_SIZE:
            return False
        x = raw_value(p.members[0].variable)
        if x.device.type != "cpu" or not x.is_contiguous():
            return False
        if known:
            alike = self.lists.setdefault((p.scalars, p.regularized), [])
            alike.append((p, g.contiguous()))
            return True
        bucket = p.members != [p]
        w = self.update.weight(p) if bucket else raw_value(p.variable).detach()
        with torch.no_grad():
            self._run(p, w, {k: raw_value(v).detach() for k, v in p.slots.items()}, g)
        if bucket:
            p.variable.assign(w)
        return True

    @torch.no_grad()
    def finish(self) -> None:
        """Run the kernels on the weights that `update_weight` deferred."""
        for key, rows in self.lists.items():
            w = [raw_value(p.variable) for p, _ in rows]
            names = rows[0][0].slots
            s = {name: [raw_value(p.slots[name]) for p, _ in rows] for name in names}
            self.kernels[key](w, s, [g for _, g in rows])

    def _kernel(self, p: Parameter) -> Kernel | None:
        """Return the kernel for this weight's update, if there is one."""
        if not p.all_float32:
            return None
        key = p.scalars, p.regularized
        if key not in self.kernels:
            self.kernels[key] = self._kernel_for(p)
        return self.kernels[key]

    def _kernel_for(self, p: Parameter) -> Kernel | None:
        update = self.update
        if not self.has_kernel or update.shrinks(p):
            return None
        h = update.cast[p.scalars]
        decay = float(h.weight_decay * h.learning_rate) if update.decays(p) else 0.0
        return KERNELS[update.optimizer.registry_name](h, set(p.slots), decay)

    def _run(self, p: Parameter, w: Tensor, slots: Slots, g: Tensor) -> None:
        """Run the compiled step, or the uncompiled one."""
        compiled = of_optimizers.setdefault(self.update.optimizer, Compiled())
        if compiled.fails or compiled.plain < COMPILE_AFTER:
            compiled.plain += p.size
            write(self.update.next_values(p, w, slots, g))
            return
        scalars = TracedScalars(self.update, p)
        inputs = w.view(-1), {k: v.view(-1) for k, v in slots.items()}, g.reshape(-1)
        key = p.scalars, p.variable.dtype, p.regularized, scalars.kinds
        try:
            if key not in compiled.steps:
                step = traced(self.update, p, scalars, *inputs)
                compiled.steps[key] = torch.compile(step, dynamic=True)
            compiled.steps[key](*inputs, scalars.tensors)
        except Exception as error:  # noqa: BLE001  # any failure: stay uncompiled
            compiled.fails = True
            warnings.warn(
                "torch.compile does not work here, so the update stays uncompiled and "
                f"slower. Received: {type(error).__name__}: {error}",
                stacklevel=2,
            )
            self._run(p, w, slots, g)


class TracedScalars:
    """The scalars that a rule reads: the number of the update, and hyperparameters.

    Attributes:
        tensors: Scalars that may change: the number of the update, then the others.
        kinds: The type of every hyperparameter; those that are no tensors are constant.
    """

    def __init__(self, update: WeightUpdate, p: Parameter) -> None:
        self.h = update.cast[p.scalars]
        self.kinds = tuple(type(x) for _, x in self.h.items())
        rest = [
            x.complement if isinstance(x, BetaTensor) else x for _, x in self.h.items()
        ]
        self.tensors = [
            update.t[p.key],
            *(x for x in rest if isinstance(x, torch.Tensor)),
        ]

    def read(self, tensors: list[Tensor]) -> tuple[Tensor, Values]:
        """Return the number of the update and the hyperparameters, from `tensors`."""
        t, *others = tensors
        remaining = iter(others)

        def put(x: Any) -> Any:
            if isinstance(x, BetaTensor):
                return BetaTensor(next(remaining))
            return next(remaining) if isinstance(x, torch.Tensor) else x

        return t, Values(**{name: put(x) for name, x in self.h.items()})


def traced(
    update: WeightUpdate, p: Parameter, scalars: TracedScalars, *inputs: Any
) -> Step:
    """Return a weight's step as a graph of torch operations, for any sizes."""
    from torch.fx.experimental.proxy_tensor import make_fx

    def step(w: Tensor, slots: Slots, g: Tensor, tensors: list[Tensor]) -> None:
        other = copy.copy(update)
        t, h = scalars.read(tensors)
        other.t, other.cast = {p.key: t}, {p.scalars: h}
        write(other.next_values(p, w, slots, g))

    return make_fx(step, tracing_mode="symbolic")(*inputs, scalars.tensors)


def write(pairs: list[tuple[Tensor, Tensor]]) -> None:
    """Write each value into its tensor."""
    for tensor, value in pairs:
        tensor.copy_(value)
