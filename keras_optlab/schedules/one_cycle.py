"""The one-cycle policy."""

from __future__ import annotations

from typing import Any

from keras_optlab.schedules.arguments import rate, share, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import before, cosine_ramp, shares


class OneCycle(Timed):
    """Half a cosine wave up to `peak`, then a longer one down to almost 0.

        start = peak · initial_factor    at step 0
        peak                             at step warmup · steps
        end = start · final_factor       at step `steps` and later

    torch's `OneCycleLR` of n steps has its end at step n - 1 and its peak at step
    pct_start · n - 1. So this schedule equals `OneCycleLR(max_lr=peak,
    total_steps=steps + 1, pct_start=(warmup * steps + 1) / (steps + 1))`, with
    div_factor = 1 / initial_factor and final_div_factor = 1 / final_factor, whose
    defaults are the same. It equals `optax.cosine_onecycle_schedule(steps, peak,
    warmup)` if warmup · steps is an integer; otherwise optax rounds it down.

    Args:
        peak: Largest value; finite, >= 0.
        steps: Length of the cycle in updates; integer > 0, or a share of the training
            in (0, 1). Or use the keyword `epochs`, > 0, alone or with
            `steps_per_epoch`, integer > 0. Defaults to the whole training.
        warmup: Fraction of `steps` before the peak, in (0, 1). Defaults to 0.3. If
            warmup · steps is not an integer, the peak lies between two steps.
        initial_factor: Value at step 0 in units of `peak`, in [0, 1]. Defaults to 1/25.
        final_factor: Value at the end in units of the value at step 0, in [0, 1].
            Defaults to 1e-4.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using
        Large Learning Rates", 2017, arXiv:1708.07120. There the rate changes linearly;
        half cosine waves became usual later.

    Example:
        >>> OneCycle(0.1, steps=5, warmup=0.4).values(7).round(4)
        array([0.004, 0.052, 0.1  , 0.075, 0.025, 0.   , 0.   ])
    """

    integer_steps = True
    ends = True
    between_rates = True

    peak: float = rate("largest value")
    steps: float = steps("length of the cycle")
    warmup: float = share("fraction of the steps before the peak", 0.3, within="(0, 1)")
    initial_factor: float = share("value at step 0 in units of the peak", 1 / 25)
    final_factor: float = share("value at the end in units of the first", 1e-4)

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        start = self.peak * self.initial_factor
        end = start * self.final_factor
        top = self.warmup * self.steps
        rise = [cosine_ramp(x, ops) for x in shares(0, top, step, ops)]
        fall = [cosine_ramp(x, ops) for x in shares(top, self.steps, step, ops)]
        return ops.where(
            before(top, step, ops),
            start * rise[0] + self.peak * rise[1],
            self.peak * fall[0] + end * fall[1],
        )
