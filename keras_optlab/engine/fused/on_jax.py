"""Updates in parts on JAX's CPU, for weights with state in 8 bits.

XLA writes the float32 state between decoding and encoding to memory, for all weights
at once, since it starts them side by side. Fresh memory is slow: for Adam it took half
of the step. A loop over parts that fit into the cache needs little memory.
"""

from __future__ import annotations

from typing import Any

import jax
from jax import numpy as jnp

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.replicas import distributed
from keras_optlab.engine.backend.variables import Pairs, raw
from keras_optlab.engine.fused import form
from keras_optlab.engine.weights.parameter import Parameter
from keras_optlab.engine.weights.quantized import BLOCK, Quantized, closed, stored_in

PART = 2**16  # entries


class OnJax(form.Form):
    """The updates of one trace."""

    def next_values(self, p: Parameter, g: Tensor) -> Pairs:
        """Return variables with their next values; large quantized weights in parts."""
        if not self._in_parts(p):
            return super().next_values(p, g)
        variables = [p.variable, *(v for s in p.slots.values() for v in stored_in(s))]
        now = [_rows(raw(v), p) for v in variables]
        gradient, whole = jnp.reshape(g, (-1,)), p.size // PART

        def step(i: Tensor, now: list[Tensor]) -> list[Tensor]:
            return self._after_part(p, now, gradient, i * PART, PART)

        now = jax.lax.fori_loop(0, whole, step, now)
        if p.size % PART:
            at, size = whole * PART, p.size % PART
            now = self._after_part(p, now, gradient, at, size)
        return [
            (v, jnp.reshape(x, v.shape)) for v, x in zip(variables, now, strict=True)
        ]

    def _in_parts(self, p: Parameter) -> bool:
        return (
            p.is_quantized
            and p.size >= 2 * PART
            and p.index not in self.update.changes_if
            and self.update.optimizer.plan.elementwise
            and jax.default_backend() == "cpu"
            and not distributed()
            and all(tuple(v.shape) == tuple(p.variable.shape) for v in p.slots.values())
        )

    def _after_part(
        self, p: Parameter, now: list[Tensor], g: Tensor, at: Any, size: int
    ) -> list[Tensor]:
        """Return the arrays after the update of `size` entries from `at` on."""
        per_row = [1 if len(x) == p.size else BLOCK for x in now]
        parts = [
            jax.lax.dynamic_slice_in_dim(x, at // n, -(-size // n))
            for x, n in zip(now, per_row, strict=True)
        ]
        w, rest = parts[0], iter(parts[1:])
        held = {
            name: (next(rest), next(rest)) if isinstance(v, Quantized) else next(rest)
            for name, v in p.slots.items()
        }
        slots = closed(held, p.slots, (size,))
        g = jax.lax.dynamic_slice_in_dim(g, at, size)
        new = {id(v): x for v, x in self.update.next_values(p, w, slots, g)}
        return [
            jax.lax.dynamic_update_slice_in_dim(x, new.get(id(y), y), at // n, 0)
            for x, y, n in zip(now, parts, per_row, strict=True)
        ]


def _rows(x: Tensor, p: Parameter) -> Tensor:
    """Return an array of entries as a vector; one of blocks unchanged."""
    return jnp.reshape(x, (-1,)) if tuple(x.shape) == tuple(p.variable.shape) else x
