"""L1 and L2 regularization together."""

from keras_optlab.regularizers.penalty import Penalty, factor


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

    l1: float = factor("factor of the sum of absolute values", default=0.0)
    l2: float = factor("factor of the sum of squares", default=0.0)
