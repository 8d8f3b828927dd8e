"""L1 regularization."""

from keras_optlab.regularizers.penalty import Penalty, factor


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

    l1: float = factor("factor of the sum of absolute values", default=0.01)
