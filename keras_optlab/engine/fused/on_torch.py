"""Fused updates on torch: torch's own kernels; else, on a CPU, `torch.compile`.

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
from keras_optlab.engine.backend.variables import on_host
from keras_optlab.engine.fused import form
from keras_optlab.engine.fused.torch_device_kernels import DEVICE_KERNELS, DeviceStep
from keras_optlab.engine.fused.torch_in_place import in_place_step
from keras_optlab.engine.fused.torch_kernels import KERNELS, Kernel, has_kernel
from keras_optlab.engine.weights.parameter import Parameter, Slots
from keras_optlab.engine.weights.quantized import BLOCK, closed, opened
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

    def __init__(self, update: WeightUpdate, applies: Tensor | None = None) -> None:
        super().__init__(update, applies)
        name = update.optimizer.registry_name
        self.has_kernel = has_kernel(name, update.optimizer._values)
        self.kernels: dict[Hashable, Any] = {}
        self.in_place: dict[Hashable, Step | None] = {}
        self.lists: dict[Hashable, list[tuple[Parameter, Tensor, Tensor]]] = {}

    def update_all(
        self, parameters: list[Parameter], gradients: list[Tensor]
    ) -> list[tuple[Parameter, Tensor]]:
        """Have `finish` update the weights for which there is a kernel."""
        rows = zip(parameters, gradients, strict=True)
        if not self.has_kernel or torch.compiler.is_compiling():
            return list(rows)
        others, lists = [], self.lists
        for p, g in rows:  # as few calls as possible: models have many small weights
            w = raw_value(p.variable) if p.suits_kernels else None
            if w is None or not w.is_contiguous():
                others.append((p, g))
                continue
            key = p.key, p.corrected, p.regularized, w.device
            if key not in lists:
                self.kernels[key], lists[key] = self._kernel_for(p, w), []
            if self.kernels[key] is None:
                others.append((p, g))
            else:
                lists[key].append((p, w, g if g.is_contiguous() else g.contiguous()))
        return others

    def update_weight(self, p: Parameter, g: Tensor) -> bool:
        """Update a weight in place, or compiled if it is large."""
        if torch.compiler.is_compiling():
            return False  # a user compiles the whole step
        x = raw_value(p.members[0].variable)
        if not on_host(x) or not x.is_contiguous():
            return False
        if p.size < form.MIN_COMPILED_SIZE and self._in_place(p) is None:
            return False
        bucket = p.members != [p]
        w = self.update.weight(p) if bucket else raw_value(p.variable).detach()
        with torch.no_grad():
            self._run(p, w, opened(p.slots, _detached), g)
        if bucket:
            p.variable.assign(w)
        return True

    @torch.no_grad()
    def finish(self) -> None:
        """Run the kernels on the weights that `update_all` deferred."""
        for key, rows in self.lists.items():
            if not rows:
                continue
            names = rows[0][0].slots
            s = {name: [raw_value(p.slots[name]) for p, _, _ in rows] for name in names}
            self.kernels[key]([w for _, w, _ in rows], s, [g for _, _, g in rows])

    def _kernel_for(self, p: Parameter, w: Tensor) -> Kernel | None:
        """Return the kernel for weights like this one, if there is one."""
        update, slots = self.update, set(p.slots)
        name, h = update.optimizer.registry_name, update.h(p)
        if not self.has_kernel or update.shrinks(p):
            return None
        if on_host(w):
            return KERNELS[name](h, slots, self._decay(p))
        decay = h.weight_decay * h.learning_rate if update.decays(p) else None
        make = DEVICE_KERNELS.get(name)
        return make and make(DeviceStep(h, update.t[p.key], decay, self.applies), slots)

    def _in_place(self, p: Parameter) -> Step | None:
        """Return the step in place for weights like this one, if there is one."""
        update = self.update
        if not p.all_float32 or update.shrinks(p):
            return None
        key = p.scalars, p.regularized
        if key not in self.in_place:
            name, slots = update.optimizer.registry_name, set(p.slots)
            step = in_place_step(name, update.h(p), slots, self._decay(p))
            self.in_place[key] = step
        return self.in_place[key]

    def _decay(self, p: Parameter) -> float:
        """Return weight decay times the learning rate, as a number."""
        h = self.update.h(p)
        return float(h.weight_decay * h.learning_rate) if self.update.decays(p) else 0.0

    def _run(self, p: Parameter, w: Tensor, slots: Slots, g: Tensor) -> None:
        """Run the compiled step, or the uncompiled one."""
        compiled = of_optimizers.setdefault(self.update.optimizer, Compiled())
        small = p.size < form.MIN_COMPILED_SIZE
        waits = compiled.fails or compiled.plain < COMPILE_AFTER
        if small or waits or _is_padded(p):
            compiled.plain += 0 if small else p.size
            in_place = self._in_place(p)
            if in_place:
                in_place(w, slots, g)
            else:
                own = closed(slots, p.slots, tuple(w.shape))
                write(self.update.next_values(p, w, own, g))
            return
        scalars = TracedScalars(self.update, p)
        flat = {k: v if isinstance(v, tuple) else v.view(-1) for k, v in slots.items()}
        inputs = w.view(-1), flat, g.reshape(-1)
        key = (
            *(p.scalars, p.variable.dtype, p.regularized),
            *(p.size if p.is_quantized else None, scalars.kinds),
        )
        try:
            if key not in compiled.steps:
                step = traced(self.update, p, scalars, *inputs)
                any_size = not p.is_quantized
                compiled.steps[key] = torch.compile(step, dynamic=any_size)
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
    """Return a weight's step as a graph of torch operations, for any sizes.

    With state in 8 bits, for one size.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    def step(w: Tensor, slots: Slots, g: Tensor, tensors: list[Tensor]) -> None:
        other = copy.copy(update)
        t, h = scalars.read(tensors)
        other.t, other.cast = {p.key: t}, {p.scalars: h}
        own = closed(slots, p.slots, tuple(w.shape))
        write(other.next_values(p, w, own, g))

    mode = "fake" if p.is_quantized else "symbolic"  # blocks depend on the size
    return make_fx(step, tracing_mode=mode)(*inputs, scalars.tensors)


def _is_padded(p: Parameter) -> bool:
    """Return whether the last block of 8-bit state is padded.

    Inductor of torch 2.13 computes such a step wrongly: it writes codes that it still
    has to read. The uncompiled graph of the same step is right.
    """
    return p.is_quantized and p.size % BLOCK != 0


def _detached(variable: Any) -> Tensor:
    return raw_value(variable).detach()


def write(pairs: list[tuple[Tensor, Tensor]]) -> None:
    """Write each value into its tensor."""
    for tensor, value in pairs:
        tensor.copy_(value)
