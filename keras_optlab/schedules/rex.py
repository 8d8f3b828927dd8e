"""The reflected exponential schedule."""

from __future__ import annotations

from typing import Any

from keras_optlab.schedules.arguments import rate, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import shares


class Rex(Timed):
    """REX: a fall from `initial` to `final`, slow at first and steep at the end.

        remaining(t) = 1 - t / steps
        value(t) = final + (initial - final) · remaining / (1/2 + remaining / 2)

    for t <= steps, and `final` from then on. The value lies above the straight line:
    with `final = 0` it is 2/3 of `initial` at half time.

    The paper's schedule has `final = 0`. Neither Keras, optax nor torch has it.

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
        Chen, Wolfe and Kyrillidis, "REX: Revisiting Budgeted Training with an Improved
        Schedule", 2021, arXiv:2107.04197.

    Example:
        >>> Rex(0.3, steps=4).values(6).round(4)
        array([0.3   , 0.2571, 0.2   , 0.12  , 0.    , 0.    ])
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
        divisor = 0.5 + 0.5 * remaining
        left, gone = remaining / divisor, 0.5 * elapsed / divisor
        return self.initial * left + self.final * gone
