"""Fused updates on TensorFlow's CPU, in a graph.

TensorFlow's own kernels where they exist, else XLA, one weight at a time. XLA compiles
the update of one weight to a loop or two. One cluster of all weights would wait for all
gradients. Weights of the same shape share compiled code.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import tensorflow as tf
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.commit import commit
from keras_optlab.engine.backend.replicas import in_replica
from keras_optlab.engine.backend.variables import on_cpu, raw
from keras_optlab.engine.fused import form
from keras_optlab.engine.fused.tensorflow_kernels import KERNELS, Kernel, has_kernel
from keras_optlab.engine.weights.parameter import Parameter, Slots
from keras_optlab.engine.weights.quantized import closed, opened
from keras_optlab.engine.weights.weight_update import WeightUpdate

Step = Callable[..., Any]


class OnTensorFlow(form.Form):
    """The fused updates of one trace."""

    def __init__(self, update: WeightUpdate) -> None:
        super().__init__(update)
        self.compiled: dict[Hashable, Step] = {}

    def update_weight(self, p: Parameter, g: Tensor) -> bool:
        """Update a weight by a kernel if there is one, or by XLA if it is large.

        Only in a graph and on a CPU.
        """
        first = p.members[0].variable
        if tf.executing_eagerly() or in_replica() or not on_cpu(first):
            return False
        slots = opened(p.slots, raw)
        if kernel := self._kernel(p):
            handles = {name: v.handle for name, v in slots.items()}
            if self.update.decays(p):
                decayed = self.update.decayed(p, self.update.weight(p))
                commit([(p.variable, decayed)])
            kernel(raw(p.variable).handle, handles, g)
        elif p.size < form.MIN_COMPILED_SIZE:
            return False
        elif p.members != [p]:
            self._advance_bucket(p, slots, g)
        else:
            self._run(p, "weight", self._assign, raw(p.variable), slots, g)
        return True

    def _advance_bucket(self, p: Parameter, slots: Slots, g: Tensor) -> None:
        """Update a bucket of small weights; read them only if the step depends on them.

        Otherwise the step from zero is the change to add.
        """
        if self._reads_weight(p, g):
            w = self.update.weight(p)
            p.variable.assign(self._run(p, p.path, self._renewed, w, slots, g))
        else:
            p.variable.assign_add(self._run(p, p.path, self._change, slots, g))

    def _run(self, p: Parameter, what: str, step: Step, *args: Any) -> Any:
        """Run a compiled step; its key has everything it reads beside its arguments."""
        key = what, p.scalars, p.regularized
        if key not in self.compiled:
            self.compiled[key] = tf.function(
                partial(step, p), jit_compile=True, autograph=False
            )
        return self.compiled[key](*args)

    def _assign(self, p: Parameter, w: Variable, slots: Slots, g: Tensor) -> None:
        slots = closed(slots, p.slots, tuple(w.shape))
        commit(self.update.next_values(p, w, slots, g))

    def _renewed(self, p: Parameter, w: Tensor, slots: Slots, g: Tensor) -> Tensor:
        """Write the slots, and return the next weights."""
        (_, new), *pairs = self.update.next_values(p, w, slots, g)
        commit(pairs)
        return new

    def _change(self, p: Parameter, slots: Slots, g: Tensor) -> Tensor:
        return self._renewed(p, ops.zeros_like(g), slots, g)

    def _reads_weight(self, p: Parameter, g: Tensor) -> bool:
        """Return whether the change of a bucket's weights depends on the weights."""
        update = self.update
        if p.variable.dtype != p.dtype or update.decays(p) or update.shrinks(p):
            return True
        if update.optimizer.has_after_step:
            return True
        return reads_first(lambda w: update.rule(p, w, g, p.slots), g)

    def _kernel(self, p: Parameter) -> Kernel | None:
        """Return the kernel for this weight's update, if there is one."""
        optimizer = self.update.optimizer
        known = has_kernel(optimizer.registry_name, optimizer._values)
        single = p.members == [p] and p.all_float32
        if not known or not single or self.update.shrinks(p):
            return None
        h = self.update.cast[p.scalars]
        return KERNELS[optimizer.registry_name](h, set(p.slots))


def reads_first(function: Callable[..., Any], *args: Tensor) -> bool:
    """Return whether a function of tensors reads the first of them."""

    def run(*xs: Tensor) -> None:
        function(*xs)

    specs = [tf.TensorSpec(x.shape, x.dtype) for x in args]
    traced = tf.function(run, autograph=False).get_concrete_function(*specs)
    return bool(traced.graph.inputs[0].consumers())
