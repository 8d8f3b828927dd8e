"""L1 regularization."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_optlab.regularizers.penalty import Factor, Penalty


def absolute_sum(x: Any) -> Any:
    r"""Return $\sum |x|$."""
    return ops.sum(ops.absolute(x))


class L1(Penalty):
    """Penalty on absolute values, which drives weights to zero.

        penalty(w) = l1 · Σ |w|

    Equal to `keras.regularizers.L1`.

    Args:
        l1: Factor of the penalty; finite, >= 0. Defaults to 0.01.

    Raises:
        ValueError: if the factor is negative, infinite or NaN.
        TypeError: if the factor is not a number.

    Source:
        Tibshirani, "Regression Shrinkage and Selection via the Lasso", 1996.

    Example:
        >>> from keras import ops
        >>> float(L1(0.5)(ops.array([1.0, -2.0])))
        1.5
    """

    l1: float = Factor(doc="factor of the sum of absolute values")

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a tensor, a scalar of its dtype."""
        return self.weighted("l1", absolute_sum, x)
