"""Cosine annealing."""

from __future__ import annotations

from typing import Any

from keras_optlab.schedules.arguments import rate, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import cosine_ramp, shares


class Cosine(Timed):
    """Half a cosine wave from `initial` to `final`.

        value(t) = final + (initial - final) · (1 + cos(π t / steps)) / 2

    for t <= steps, and `final` from then on. With `final > initial` the value rises,
    for example for a growing weight decay.

    Equal to `keras.optimizers.schedules.CosineDecay(initial, steps, final / initial)`,
    to `optax.cosine_decay_schedule` with the same arguments and to torch's
    `CosineAnnealingLR(T_max=steps, eta_min=final)`, which rises again after `T_max`.

    Args:
        initial: Value at step 0; finite, >= 0.
        steps: Length in updates; integer > 0, or a share of the training in (0, 1). Or
            use the keyword `epochs`, > 0, alone or with `steps_per_epoch`, integer > 0.
            Defaults to the whole training.
        final: Value at step `steps` and later; finite, >= 0. Defaults to 0.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
        2016, arXiv:1608.03983, equation 5, without the restarts.

    Example:
        >>> Cosine(0.1, steps=4).values(6).round(4)
        array([0.1   , 0.0854, 0.05  , 0.0146, 0.    , 0.    ])
    """

    integer_steps = True
    ends = True
    between_rates = True

    initial: float = rate("value at step 0")
    steps: float = steps("length")
    final: float = rate("value at the end", default=0.0)

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        remaining, elapsed = shares(0, self.steps, step, ops)
        high, low = cosine_ramp(remaining, ops), cosine_ramp(elapsed, ops)
        return self.initial * high + self.final * low
