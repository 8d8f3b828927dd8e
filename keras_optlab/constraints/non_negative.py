"""Non-negative weights."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_optlab.core import Declared
from keras_optlab.core.numerics import maximum
from keras_optlab.core.types import Tensor


def non_negative(w: Tensor) -> Tensor:
    r"""Return $\max(w, 0)$, entry by entry."""
    return maximum(w, 0.0)


class NonNegative(Declared, keras.constraints.Constraint):
    """Projection of negative entries of a weight to zero.

        w ← max(w, 0)

    Equal to `keras.constraints.NonNeg`.

    Example:
        >>> from keras import ops
        >>> ops.convert_to_numpy(NonNegative()(ops.array([-1.0, 2.0]))).tolist()
        [0.0, 2.0]
    """

    def __call__(self, w: Any) -> Any:
        """Return the weight with its negative entries set to zero."""
        return non_negative(ops.convert_to_tensor(w))
