"""L1 and L2 regularization together."""

from __future__ import annotations

from typing import Any

from keras_optlab.regularizers.l1 import absolute_sum
from keras_optlab.regularizers.l2 import square_sum
from keras_optlab.regularizers.penalty import Factor, Penalty


class L1L2(Penalty):
    """Sum of the L1 and the L2 penalty, the "elastic net".

        penalty(w) = l1 · Σ |w| + l2 · Σ w²

    Equal to `keras.regularizers.L1L2`.

    Args:
        l1: Factor of the absolute values; finite, >= 0. Defaults to 0.
        l2: Factor of the squares; finite, >= 0. Defaults to 0.

    Raises:
        ValueError: if a factor is negative, infinite or NaN.
        TypeError: if a factor is not a number.

    Source:
        Zou and Hastie, "Regularization and Variable Selection via the Elastic Net",
        2005.

    Example:
        >>> from keras import ops
        >>> float(L1L2(l1=0.5, l2=0.5)(ops.array([1.0, -2.0])))
        4.0
    """

    l1: float = Factor(doc="factor of the sum of absolute values", default=0.0)
    l2: float = Factor(doc="factor of the sum of squares", default=0.0)

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a tensor, a scalar of its dtype."""
        return self.weighted("l1", absolute_sum, x) + self.weighted("l2", square_sum, x)
