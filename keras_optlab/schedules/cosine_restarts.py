"""Cosine annealing with warm restarts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keras_optlab.schedules.arguments import factor, rate, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import (
    COUNTS,
    as_float,
    cosine_ramp,
    is_number,
    last_of,
    number_begun,
    parts,
    periods,
    power,
    shares,
    until_each,
)


class CosineRestarts(Timed):
    """SGDR: cosine annealing from `initial` to `final`, with warm restarts.

    Cycle i = 0, 1, ... takes steps · t_mul^i updates. At step τ within it

        value = final + (initial - final) · m_mul^i · (1 + cos(π τ / length)) / 2

    and the next cycle begins at τ = length, with its own largest value. If `length` is
    an integer, the value comes close to `final` but never reaches it. There is no end.

    Equal to `keras.optimizers.schedules.CosineDecayRestarts(initial, steps, t_mul,
    m_mul, final / initial)`, which restarts a step late under XLA for some lengths (41
    is the first); to torch's `CosineAnnealingWarmRestarts(T_0=steps, T_mult=t_mul,
    eta_min=final)`, whose `T_mult` is 1 by default; and to `optax.sgdr_schedule` with a
    dictionary for each cycle, which ends after the last cycle.

    Args:
        initial: Largest value of the first cycle, at step 0; finite, >= 0.
        steps: Length of the first cycle in updates; integer > 0, or a share of the
            training in (0, 1). Or use the keyword `epochs`, > 0, alone or with
            `steps_per_epoch`, integer > 0. Defaults to the whole training.
        t_mul: Ratio of the lengths of successive cycles; finite, >= 1. Defaults to 2.
            If not an integer, a cycle may begin between two steps.
        m_mul: Ratio of the heights above `final` at which successive cycles start;
            finite, > 0. Defaults to 1.
        final: Value that each cycle falls towards; finite, >= 0. Defaults to 0.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
        2016, arXiv:1608.03983, equation 5; m_mul is not in the paper.

    Example:
        >>> CosineRestarts(0.1, steps=2).values(8).round(4)
        array([0.1   , 0.05  , 0.1   , 0.0854, 0.05  , 0.0146, 0.1   , 0.0962])
    """

    integer_steps = True
    between_rates = True

    initial: float = rate("largest value of the first cycle")
    steps: float = steps("length of the first cycle")
    t_mul: float = factor("growth of the length", default=2.0, within=">= 1")
    m_mul: float = factor("growth of the height", default=1.0)
    final: float = rate("value at the end of a cycle", default=0.0)

    @property
    def largest(self) -> float | None:
        """The largest value, or `None` if it grows without end."""
        return super().largest if self.m_mul <= 1 else None

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        height, remaining, elapsed = self.cycle(step, ops)
        high, low = cosine_ramp(remaining, ops), cosine_ramp(elapsed, ops)
        high, low = height * high, low + (1.0 - height) * high
        return self.initial * high + self.final * low

    def cycle(self, step: Any, ops: Any) -> tuple[Any, Any, Any]:
        """Return the current cycle's height and its remaining and elapsed fractions."""
        if self.t_mul == 1:
            index, position = periods(self.steps, step, ops)
            return self.height(index, ops), *shares(0, self.steps, position, ops)
        number = np.arange(self.number_of_cycles(last_of(step)) + 1)
        lengths = self.t_mul**number
        begins = (self.t_mul**number - 1) / (self.t_mul - 1)
        if not is_number(self.steps):  # a share of the training
            lengths = ops.array(lengths, dtype=step.dtype)
            begins = ops.array(begins, dtype=step.dtype)
        lengths, begins = self.steps * lengths, self.steps * begins

        # A table is exact; a quotient or a logarithm may round to below an integer.
        index = number_begun(begins[1:-1], step, ops)
        over = -until_each(begins, index, step, ops)
        ahead = until_each(begins, index + 1, step, ops)
        length = ops.take(ops.array(lengths, dtype=ahead.dtype), index)
        height = self.height(as_float(index, ops), ops)
        return height, *parts(ahead, over, length, ops)

    def height(self, cycle: Any, ops: Any) -> Any:
        """Return the height of a cycle, relative to the first cycle."""
        return power(self.m_mul, cycle, ops)

    def number_of_cycles(self, last: float) -> int:
        """Return an upper bound on the number of cycles that begin by step `last`."""
        shortest = self.steps if is_number(self.steps) else 1
        grown = math.log1p((self.t_mul - 1) * min(last, COUNTS) / shortest)
        return 1 + math.ceil(grown / math.log(self.t_mul))

    @property
    def _horizon(self) -> int:
        return round(self.steps * (1 + self.t_mul + self.t_mul**2))
