"""Maximum norm."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_optlab.constraints.norms import Axes, Axis, like, norms, rescale
from keras_optlab.core import Declared, Hyper
from keras_optlab.core.numerics import minimum
from keras_optlab.core.types import Tensor


def max_norm(w: Tensor, max_value: Any, axis: Axes = 0) -> Tensor:
    r"""Return $w \cdot \min(\|w\|, c) / (\epsilon + \|w\|)$, norms along `axis`."""
    present = norms(w, axis)
    return rescale(w, present, minimum(present, like(max_value, present)))


class MaxNorm(Declared, keras.constraints.Constraint):
    """Upper bound c on the Euclidean norm of the weights into each output unit.

        w ← w · min(‖w‖, c) / (ε + ‖w‖)

    with ε of `keras.config.epsilon()`. Equal to `keras.constraints.MaxNorm`.

    Args:
        max_value: The largest norm c; finite, > 0. Defaults to 2.
        axis: Axis or list of axes that the norm sums over; `None` takes one norm of the
            whole weight. Use 0, the default, for a matrix (in, out) or a vector, and
            `[0, 1, 2]` for the kernel of a `Conv2D`, whose axis 0 is only its height.

    Raises:
        ValueError: if `max_value` is out of range, or, when called, if the weight
            lacks the axis.
        TypeError: if an argument is of the wrong kind.

    Source:
        Srebro and Shraibman, "Rank, Trace-Norm and Max-Norm", 2005; for networks,
        Srivastava et al., "Dropout", 2014, section 5.1.

    Example:
        >>> from keras import ops
        >>> w = MaxNorm(1.0)(ops.array([[3.0, 0.3], [4.0, 0.4]]))
        >>> print(ops.convert_to_numpy(w).round(3))
        [[0.6 0.3]
         [0.8 0.4]]
    """

    max_value: float = Hyper(default=2.0, doc="largest norm c", adjustable=False)
    axis: Axes = Axis()

    def __call__(self, w: Any) -> Any:
        """Return the weight with its norms reduced to at most c."""
        return max_norm(ops.convert_to_tensor(w), self.max_value, self.axis)
