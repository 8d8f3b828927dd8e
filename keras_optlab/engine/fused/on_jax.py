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

ROWS = 2**9  # blocks of a part; XLA does not divide small parts among threads
MIN_BLOCKS = 2**8  # of a weight that is updated in parts


class OnJax(form.Form):
    """The updates of one trace."""

    def next_values(self, p: Parameter, g: Tensor) -> Pairs:
        """Return variables with their next values; large quantized weights in parts."""
        if not self._in_parts(p):
            return super().next_values(p, g)
        variables = [p.variable, *(v for s in p.slots.values() for v in stored_in(s))]
        now, gradient = [_rows(raw(v), p) for v in variables], _rows(g, p)
        blocks = len(gradient)
        rows = rows_of_a_part(blocks)
        whole, rest = divmod(blocks, rows)

        def step(i: Tensor, now: list[Tensor]) -> list[Tensor]:
            return self._after_part(p, now, gradient, i * rows, rows)

        now = jax.lax.fori_loop(0, whole, step, now)
        if rest:
            now = self._after_part(p, now, gradient, whole * rows, rest)
        return [
            (v, jnp.reshape(x, v.shape)) for v, x in zip(variables, now, strict=True)
        ]

    def _in_parts(self, p: Parameter) -> bool:
        return (
            p.is_quantized
            and p.size % BLOCK == 0
            and p.size >= BLOCK * MIN_BLOCKS
            and p.index not in self.update.changes_if
            and self.update.optimizer.plan.elementwise
            and jax.default_backend() == "cpu"
            and not distributed()
            and all(tuple(v.shape) == tuple(p.variable.shape) for v in p.slots.values())
        )

    def _after_part(
        self, p: Parameter, now: list[Tensor], g: Tensor, at: Any, rows: int
    ) -> list[Tensor]:
        """Return the arrays after the update of some rows."""
        parts = [jax.lax.dynamic_slice_in_dim(x, at, rows) for x in now]
        w, rest = parts[0], iter(parts[1:])
        held = {
            name: (next(rest), next(rest)) if isinstance(v, Quantized) else next(rest)
            for name, v in p.slots.items()
        }
        slots = closed(held, p.slots, (rows, BLOCK))
        g = jax.lax.dynamic_slice_in_dim(g, at, rows)
        new = {id(v): x for v, x in self.update.next_values(p, w, slots, g)}
        return [
            jax.lax.dynamic_update_slice_in_dim(x, new.get(id(y), y), at, 0)
            for x, y in zip(now, parts, strict=True)
        ]


def rows_of_a_part(blocks: int) -> int:
    """Return about `ROWS`, at most half of the blocks, without a rest if possible."""
    most, least = min(ROWS * 3 // 2, blocks // 2), ROWS // 2
    even = (rows for rows in range(most, least, -1) if blocks % rows == 0)
    return next(even, min(ROWS, -(-blocks // 2)))


def _rows(x: Tensor, p: Parameter) -> Tensor:
    """Return an array of all entries in blocks; others are so already."""
    same = tuple(x.shape) == tuple(p.variable.shape)
    return jnp.reshape(x, (-1, BLOCK)) if same else x
