"""Soft orthogonality."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_optlab.core import Choice
from keras_optlab.core.spectral import as_matrix
from keras_optlab.regularizers.l2 import square_sum
from keras_optlab.regularizers.penalty import Factor, Penalty


def deviation(x: Any, mode: str) -> Any:
    """Squared distance of a matrix' columns (or rows) from being orthonormal."""
    if len(x.shape) < 2:
        raise ValueError(
            "Orthogonal needs a weight of two or more axes. "
            f"Received: one of shape {tuple(x.shape)}. Use it for kernels."
        )
    w = as_matrix(x)
    products = ops.transpose(w) @ w if mode == "columns" else w @ ops.transpose(w)
    return square_sum(products - ops.eye(products.shape[0], dtype=products.dtype))


class Orthogonal(Penalty):
    """Penalty on the distance of a kernel from an orthogonal matrix.

        penalty(w) = factor · ‖WᵀW − I‖²_F    mode="columns"
        penalty(w) = factor · ‖WWᵀ − I‖²_F    mode="rows"

    where W is the kernel as a matrix: all axes but the last are made one, so a column
    is all weights that enter one output unit. A matrix with more columns than rows
    cannot have orthonormal columns, so its penalty is above 0 at best; give it
    `mode="rows"`.

    `keras.regularizers.OrthogonalRegularizer` differs: it normalizes the rows or
    columns first, so that their length is free, then takes the mean of the absolute
    products of different ones instead of the sum of squares; it takes matrices only,
    and its default mode is `"rows"`.

    Args:
        factor: Factor of the penalty; finite, >= 0. Defaults to 0.01.
        mode: What is to be orthonormal, `"columns"` or `"rows"`. Defaults to
            `"columns"`.

    Raises:
        ValueError: if the factor is negative, infinite or NaN, `mode` is another word,
            or the weight has fewer than two axes.
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
        default="columns", doc="what is orthonormal", choices=("columns", "rows")
    )

    def __call__(self, x: Any) -> Any:
        """Penalty of a tensor, a scalar of its dtype."""
        return self.weighted("factor", lambda w: deviation(w, self.mode), x)
