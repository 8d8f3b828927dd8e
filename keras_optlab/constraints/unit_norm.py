"""Unit norm."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_optlab.constraints.norms import Axes, Axis, norms, rescale
from keras_optlab.core import Declared
from keras_optlab.core.types import Tensor


def unit_norm(w: Tensor, axis: Axes = 0) -> Tensor:
    r"""Return $w / (\epsilon + \|w\|)$, norms along `axis`."""
    return rescale(w, norms(w, axis), 1.0)


class UnitNorm(Declared, keras.constraints.Constraint):
    """Euclidean norm of 1 for the weights into each output unit.

        w ← w / (ε + ‖w‖)

    with ε of `keras.config.epsilon()`. Zero weights stay zero. Equal to
    `keras.constraints.UnitNorm`.

    Args:
        axis: Axis or list of axes that the norm sums over; `None` takes one norm of the
            whole weight. Use 0, the default, for a matrix (in, out) or a vector, and
            `[0, 1, 2]` for the kernel of a `Conv2D`, whose axis 0 is only its height.

    Raises:
        ValueError: when called, if the weight lacks the axis.
        TypeError: if `axis` is of the wrong kind.

    Example:
        >>> from keras import ops
        >>> w = UnitNorm()(ops.array([[3.0, 0.3], [4.0, 0.4]]))
        >>> print(ops.convert_to_numpy(w).round(3))
        [[0.6 0.6]
         [0.8 0.8]]
    """

    axis: Axes = Axis()

    def __call__(self, w: Any) -> Any:
        """Return the weight with norms of 1."""
        return unit_norm(ops.convert_to_tensor(w), self.axis)
