"""Clipping of weights by value."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_optlab.constraints.norms import like
from keras_optlab.core import Declared, Hyper, Values
from keras_optlab.core.numerics import maximum, minimum
from keras_optlab.core.types import Tensor


def clip_value(w: Tensor, low: Any, high: Any) -> Tensor:
    r"""Return $\min(\max(w, \text{low}), \text{high})$, entry by entry."""
    return minimum(maximum(w, like(low, w)), like(high, w))


class ClipValue(Declared, keras.constraints.Constraint):
    """Clipping of every entry of a weight to an interval.

        w ← min(max(w, low), high)

    Args:
        low: Smallest entry; finite. Defaults to -1.
        high: Largest entry; finite, >= `low`. Defaults to 1.

    Raises:
        ValueError: if an argument is infinite or NaN, or `low` is above `high`.
        TypeError: if an argument is not a number.

    Source:
        Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, arXiv:1701.07875,
        Algorithm 1, where the weights of the critic are clipped to ±0.01.

    Example:
        >>> from keras import ops
        >>> clipped = ClipValue(-0.5, 2.0)(ops.array([-1.0, 1.0, 3.0]))
        >>> ops.convert_to_numpy(clipped).tolist()
        [-0.5, 1.0, 2.0]
    """

    low: float = Hyper(
        default=-1.0, doc="smallest entry", within="(-inf, inf)", adjustable=False
    )
    high: float = Hyper(
        default=1.0, doc="largest entry", within="(-inf, inf)", adjustable=False
    )

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return the checked arguments; `low` must not be above `high`."""
        values = super().bind(*args, **kwargs)
        if values.low > values.high:
            raise ValueError(
                "`low` must not be above `high`. "
                f"Received: low={values.low}, high={values.high}"
            )
        return values

    def __call__(self, w: Any) -> Any:
        """Return the clipped weight."""
        return clip_value(ops.convert_to_tensor(w), self.low, self.high)
