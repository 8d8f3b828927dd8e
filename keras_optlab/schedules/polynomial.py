"""Polynomial decay."""

from __future__ import annotations

from typing import Any

from keras_optlab.schedules.arguments import factor, rate, steps
from keras_optlab.schedules.base import Timed
from keras_optlab.schedules.curves import shares


class Polynomial(Timed):
    """Polynomial decay from `initial` to `final`.

        value(t) = final + (initial - final) · (1 - t / steps) ^ power

    for t <= steps, and `final` from then on. A power of 1 is `Linear`. A larger power
    falls early and flattens; a smaller power stays high and drops at the end.

    Equal to `keras.optimizers.schedules.PolynomialDecay(initial, steps, final,
    power)` without its `cycle`, to `optax.polynomial_schedule(initial, final,
    power, steps)` and, where `final` is 0, to torch's
    `PolynomialLR(total_iters=steps, power=power)`.

    Args:
        initial: Value at step 0; finite, >= 0.
        steps: Length in updates; integer > 0, or a share of the training in (0, 1). Or
            use the keyword `epochs`, > 0, alone or with `steps_per_epoch`, integer > 0.
            Defaults to the whole training.
        power: Exponent of the remaining time; > 0. Defaults to 2; Keras' default is 1.
        final: Value at step `steps` and later; finite, >= 0. Defaults to 0; Keras'
            default is 0.0001.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets,
        Atrous Convolution, and Fully Connected CRFs", 2016, arXiv:1606.00915, with a
        power of 0.9.

    Example:
        >>> Polynomial(0.16, steps=4).values(6)
        array([0.16, 0.09, 0.04, 0.01, 0.  , 0.  ])
    """

    integer_steps = True
    ends = True
    between_rates = True

    initial: float = rate("value at step 0")
    steps: float = steps("length")
    power: float = factor("power of the remaining time", default=2.0)
    final: float = rate("value at the end", default=0.0)

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        remaining, _ = shares(0, self.steps, step, ops)
        left = remaining**self.power
        return self.initial * left + self.final * (1 - left)
