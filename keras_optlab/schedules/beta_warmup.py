"""Warm-up of a momentum or a beta, even in its half-life."""

from __future__ import annotations

import math
from typing import Any

from keras_optlab.schedules.arguments import share, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import shares


class BetaWarmup(Timed):
    """A rise of a momentum or beta from `initial` to `final`, linear in the half-life.

        half_life(β) = log(1/2) / log(β)
        half_life(value(t)) = half_life(initial) + elapsed(t) · (half_life(final) -
            half_life(initial))    with elapsed(t) = t / steps

    for t <= steps, and `final` from then on. The half-life is the number of updates in
    for t <= steps, and `final` from then on. The half-life is the number of updates in
    which a gradient's share in the moving average is halved. A straight line from 0.9
    to 0.999 has a half-life of 13 updates in the middle and of 63 after nine tenths;
    this one has 350 in the middle. For a momentum below 0.95, `Linear(0.85, 300,
    final=0.95)` is about the same, and usual with Muon.

    It drives any momentum or beta of an optimizer of this package: `Adam(beta_2=
    BetaWarmup(0.95, 0.1, final=0.999))`. `AdEMAMix` has one of its own for `beta_3`.
    With `final < initial` the value falls. Neither Keras, optax nor torch has it.

    Args:
        initial: Value at step 0, in (0, 1).
        steps: Length in updates; integer > 0, or a share of the training in (0, 1). Or
            use the keyword `epochs`, > 0, alone or with `steps_per_epoch`, integer > 0.
            Defaults to the whole training.
        final: Value at step `steps` and later, in (0, 1). Defaults to 0.999.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Pagliardini, Ablin and Grangier, "The AdEMAMix Optimizer: Better, Faster,
        Older", 2024, arXiv:2409.03137, appendix A.1, for its third beta. There the
        first update has t = 1.

    Example:
        >>> BetaWarmup(0.5, steps=4, final=0.5**0.2).values(6).round(4)
        array([0.5   , 0.7071, 0.7937, 0.8409, 0.8706, 0.8706])
    """

    integer_steps = True
    ends = True

    initial: float = share("value at step 0", within="(0, 1)")
    steps: float = steps("length")
    final: float = share("value at the end", 0.999, within="(0, 1)")

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        remaining, elapsed = shares(0, self.steps, step, ops)
        inverse = remaining / math.log(self.initial) + elapsed / math.log(self.final)
        return ops.exp(1.0 / inverse)
