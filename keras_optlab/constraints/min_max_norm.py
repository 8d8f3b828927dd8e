"""Minimum and maximum norm."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_optlab.constraints.norms import Axes, Axis, like, norms, rescale
from keras_optlab.core import Declared, Hyper, Values
from keras_optlab.core.numerics import maximum, minimum
from keras_optlab.core.types import Tensor


def min_max_norm(
    w: Tensor, min_value: Any, max_value: Any, rate: Any = 1.0, axis: Axes = 0
) -> Tensor:
    r"""Move norms along `axis` a fraction `rate` of the way into an interval.

    $w \cdot (r \min(\max(\|w\|, a), b) + (1 - r) \|w\|) / (\epsilon + \|w\|)$
    """
    present = norms(w, axis)
    low, high, rate = (like(x, present) for x in (min_value, max_value, rate))
    inside = minimum(maximum(present, low), high)
    return rescale(w, present, rate * inside + (1 - rate) * present)


class MinMaxNorm(Declared, keras.constraints.Constraint):
    """Interval for the Euclidean norm of the weights into each output unit.

        w ← w · (rate · clip(‖w‖, min, max) + (1 - rate) · ‖w‖) / (ε + ‖w‖)

    with ε of `keras.config.epsilon()`. Zero weights stay zero. Equal to
    `keras.constraints.MinMaxNorm`.

    Args:
        min_value: Smallest norm; finite, >= 0. Defaults to 0.
        max_value: Largest norm; finite, >= `min_value`. Defaults to 1.
        rate: Fraction of the way to the interval that one step moves the norm, in
            [0, 1]; 1, the default, moves it into the interval at once.
        axis: Axis or list of axes that the norm sums over; `None` takes one norm of the
            whole weight. Use 0, the default, for a matrix (in, out) or a vector, and
            `[0, 1, 2]` for the kernel of a `Conv2D`, whose axis 0 is only its height.

    Raises:
        ValueError: if a number is out of range, `min_value` is above `max_value`, or,
            when called, the weight lacks the axis.
        TypeError: if an argument is of the wrong kind.

    Example:
        >>> from keras import ops
        >>> w = MinMaxNorm(1.0, 2.0, rate=0.5)(ops.array([[3.0, 0.3], [4.0, 0.4]]))
        >>> print(ops.convert_to_numpy(w).round(3))  # norms 5 and 0.5: 3.5 and 0.75
        [[2.1  0.45]
         [2.8  0.6 ]]
    """

    min_value: float = Hyper(
        default=0.0, doc="smallest norm", within=">= 0", adjustable=False
    )
    max_value: float = Hyper(
        default=1.0, doc="largest norm", within=">= 0", adjustable=False
    )
    rate: float = Hyper(
        default=1.0, doc="fraction of the way", within="[0, 1]", adjustable=False
    )
    axis: Axes = Axis()

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return the checked arguments; `min_value` must not be above `max_value`."""
        values = super().bind(*args, **kwargs)
        if values.min_value > values.max_value:
            raise ValueError(
                "`min_value` must not be above `max_value`. Received: "
                f"min_value={values.min_value}, max_value={values.max_value}"
            )
        return values

    def __call__(self, w: Any) -> Any:
        """Return the weight with its norms moved."""
        w = ops.convert_to_tensor(w)
        return min_max_norm(w, self.min_value, self.max_value, self.rate, self.axis)
