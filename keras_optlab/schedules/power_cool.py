"""A plateau, then a fall along a power of the remaining time."""

from __future__ import annotations

from typing import Any

from keras_optlab.schedules.arguments import factor, rate, share, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import shares


class PowerCool(Timed):
    """PowerCool: a plateau, then a fall along a power of the remaining time.

        remaining(t) = min(1, (steps - t) / (cooldown · steps))
        value(t) = final + (peak - final) · remaining ^ power

    for t <= steps, and `final` from then on. With a power above 1 the fall flattens
    towards the end; with a power of 1 it is a straight line. A training may end before
    `steps`: the trainings of the source stop 3% to 7% earlier, above `final`.

    With `final = 0` it equals min(peak, c · (steps - t) ^ power), as the source writes
    it, for c = peak / (cooldown · steps) ^ power. It equals `Join([peak,
    Polynomial(peak, cooldown · steps, power, final)], [(1 - cooldown) · steps])`, and
    with a power of 1 `optax.join_schedules` of a constant and a linear schedule.
    Neither Keras nor torch has it. For a warm-up write `Warmup(PowerCool(...), 0.02)`.

    Args:
        peak: Value of the plateau; finite, >= 0.
        steps: Length of both parts in updates; integer > 0, or a share of the training
            in (0, 1). Or use the keyword `epochs`, > 0, alone or with
            `steps_per_epoch`, integer > 0. Defaults to the whole training.
        cooldown: Fraction of `steps` for the fall, in (0, 1]. Defaults to 0.77. The
            source has 0.77 and later 0.82 for Muon's matrices, and 0.46 to 0.49 for the
            weights that Adam trains.
        power: Exponent of the remaining time; > 0. Defaults to 1.2.
        final: Value at step `steps` and later; finite, >= 0. Defaults to 0.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Jordan et al., modded-nanogpt, 2026, track 3 (fewest updates to a loss of 3.28),
        result 20 of May 2026, which is from pull request 287; there `power_c` is the c
        above. All records since then have it as one of many parts. The page of the
        records says that it may do little beside a plateau with a linear fall.

    Example:
        >>> PowerCool(0.1, steps=5, cooldown=0.8, power=2).values(7)
        array([0.1    , 0.1    , 0.05625, 0.025  , 0.00625, 0.     , 0.     ])
    """

    integer_steps = True
    between_rates = True
    ends = True

    peak: float = rate("value of the plateau")
    steps: float = steps("length of both parts")
    cooldown: float = share("fraction of the steps for the fall", 0.77, within="(0, 1]")
    power: float = factor("power of the remaining time", default=1.2)
    final: float = rate("value at the end", default=0.0)

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        begin = self.steps - self.cooldown * self.steps
        remaining, _ = shares(begin, self.steps, step, ops)
        left = remaining**self.power
        return self.peak * left + self.final * (1 - left)
