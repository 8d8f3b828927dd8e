"""Soft orthogonality."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_optlab.core import Choice
from keras_optlab.core.spectral import as_matrix
from keras_optlab.regularizers.l2 import square_sum
from keras_optlab.regularizers.penalty import Factor, Penalty


def deviation(x: Any, mode: str) -> Any:
    """Return the squared distance of columns (or rows) from being orthonormal."""
    if len(x.shape) < 2:
        raise ValueError(
            "Orthogonal needs a weight of two or more axes, such as a kernel. "
            f"Received: a weight of shape {tuple(x.shape)}."
        )
    w = as_matrix(x)
    products = ops.transpose(w) @ w if mode == "columns" else w @ ops.transpose(w)
    return square_sum(products - ops.eye(products.shape[0], dtype=products.dtype))


class Orthogonal(Penalty):
    """Penalty on the distance of a kernel from an orthogonal matrix.

        penalty(w) = factor · ‖WᵀW − I‖²_F    mode="columns"
        penalty(w) = factor · ‖WWᵀ − I‖²_F    mode="rows"

    where W is the kernel as a matrix: all axes but the last are merged, so a column is
    all weights that enter one output unit. A matrix with more columns than rows cannot
    have orthonormal columns, so its penalty never reaches 0; use `mode="rows"`.

    `keras.regularizers.OrthogonalRegularizer` differs: it normalizes the rows or
    columns first, so their length is free. Then it takes the mean of the absolute
    products of different rows or columns instead of the sum of squares. It takes
    matrices only, and its default mode is `"rows"`.

    Args:
        factor: Factor of the penalty; finite, >= 0. Defaults to 0.01.
        mode: Whether the `"columns"` or the `"rows"` should be orthonormal. Defaults to
            `"columns"`.

    Raises:
        ValueError: if the factor is negative, infinite or NaN, `mode` is neither
            `"columns"` nor `"rows"`, or the weight has fewer than two axes.
        TypeError: if the factor is not a number.

    Source:
        Bansal, Chen and Wang, "Can We Gain More from Orthogonality Regularizations in
        Training Deep CNNs?", 2018, arXiv:1810.09102 (soft orthogonality).

    Example:
        >>> from keras import ops
        >>> float(Orthogonal(0.5)(ops.array([[1.0, 1.0], [0.0, 0.0]])))
        1.0
    """

    factor: float = Factor(doc="factor of the squared distance")
    mode: str = Choice(
        default="columns", doc="what should be orthonormal", choices=("columns", "rows")
    )

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a tensor, a scalar of its dtype."""
        return self.weighted("factor", lambda w: deviation(w, self.mode), x)
