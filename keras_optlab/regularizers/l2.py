"""L2 regularization."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_optlab.regularizers.penalty import Factor, Penalty


def square_sum(x: Any) -> Any:
    r"""Return $\sum x^2$."""
    return ops.sum(ops.square(x))


class L2(Penalty):
    """Penalty on squares, which keeps weights small.

        penalty(w) = l2 · Σ w²

    There is no factor 1/2, so the gradient is 2 · l2 · w. Equal to
    `keras.regularizers.L2`.

    Args:
        l2: Factor of the penalty; finite, >= 0. Defaults to 0.01.

    Raises:
        ValueError: if the factor is negative, infinite or NaN.
        TypeError: if the factor is not a number.

    Source:
        Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal
        Problems", 1970.

    Example:
        >>> from keras import ops
        >>> float(L2(0.5)(ops.array([1.0, -2.0])))
        2.5
    """

    l2: float = Factor(doc="factor of the sum of squares")

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a tensor, a scalar of its dtype."""
        return self.weighted("l2", square_sum, x)
