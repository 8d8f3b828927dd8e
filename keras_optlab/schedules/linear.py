"""A straight line."""

from __future__ import annotations

from typing import Any

from keras_optlab.schedules.arguments import rate, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import shares


class Linear(Timed):
    """A straight line from `initial` to `final`.

        value(t) = initial + (final - initial) · t / steps

    for t <= steps, and `final` from then on. With `final > initial` the value rises.

    Equal to `keras.optimizers.schedules.PolynomialDecay(initial, steps, final)`, to
    `optax.linear_schedule(initial, final, steps)`, and to torch's
    `LinearLR(start_factor=initial / lr, end_factor=final / lr, total_iters=steps)`,
    which needs factors <= 1.

    Args:
        initial: Value at step 0; finite, >= 0.
        steps: Length in updates; integer > 0, or a share of the training in (0, 1). Or
            use the keyword `epochs`, > 0, alone or with `steps_per_epoch`, integer > 0.
            Defaults to the whole training.
        final: Value at step `steps` and later; finite, >= 0. Defaults to 0; Keras'
            default is 0.0001.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Li, Yumer and Ramanan, "Budgeted Training: Rethinking Deep Neural Network
        Training Under Resource Constraints", 2019, arXiv:1905.04753, which finds it
        hard to beat where the number of updates is known.

    Example:
        >>> Linear(0.1, steps=4).values(6)
        array([0.1  , 0.075, 0.05 , 0.025, 0.   , 0.   ])
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
        return self.initial * remaining + self.final * elapsed
