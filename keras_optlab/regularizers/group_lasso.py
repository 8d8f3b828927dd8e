"""The group lasso."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from keras_optlab.core import Choice
from keras_optlab.core.numerics import safe_sqrt, wide
from keras_optlab.regularizers.penalty import Factor, Penalty


def group_norms(x: Any, groups: str) -> Any:
    """Return the sum over groups of sqrt(size of the group) times its norm."""
    if len(x.shape) < 2:
        return ops.sum(ops.absolute(wide(x)))
    units = len(x.shape) - (2 if groups == "in" else 1)
    others = tuple(axis for axis in range(len(x.shape)) if axis != units)
    size = math.prod(x.shape[axis] for axis in others)
    norms = safe_sqrt(ops.sum(ops.square(wide(x)), axis=others))
    return math.sqrt(size) * ops.sum(norms)


class GroupLasso(Penalty):
    """Penalty on the norms of groups of weights, which drives whole units to zero.

        penalty(w) = factor · Σ_g sqrt(n_g) · ‖w_g‖₂

    over the groups g of n_g weights each. A kernel has the axes (..., in, out). With
    `groups="in"` a group is all weights that leave one input unit (a row of a matrix):
    if it is zero, the input, or the unit of the previous layer, can be removed. With
    `groups="out"` a group is all weights that enter one output unit (a column of a
    matrix, a filter of a convolution). Each entry of a vector, such as a bias, is its
    own group, with the penalty of `L1`.

    The norm has no gradient at an all-zero group; the gradient there is set to 0.
    Gradient steps do not reach exact zeros; set the small groups to zero yourself.

    Args:
        factor: Factor of the penalty; finite, >= 0. Defaults to 0.01.
        groups: Whether a group belongs to an input unit, `"in"`, or to an output unit,
            `"out"`. Defaults to `"in"`.

    Raises:
        ValueError: if the factor is negative, infinite or NaN, or `groups` is neither
            `"in"` nor `"out"`.
        TypeError: if the factor is not a number.

    Source:
        Yuan and Lin, "Model Selection and Estimation in Regression with Grouped
        Variables", 2006; for units of a network, Scardapane, Comminiello, Hussain and
        Uncini, "Group Sparse Regularization for Deep Neural Networks", 2016,
        arXiv:1607.00485, whose groups are `"in"`.

    Example:
        >>> from keras import ops
        >>> kernel = ops.array([[3.0, 4.0], [0.0, 0.0], [0.0, 0.0]])
        >>> round(float(GroupLasso(1.0)(kernel)), 3)  # sqrt(2) * 5
        7.071
    """

    factor: float = Factor(doc="factor of the sum of group norms")
    groups: str = Choice(
        default="in", doc="units whose weights share a group", choices=("in", "out")
    )

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a tensor, a scalar of its dtype."""
        return self.weighted("factor", lambda w: group_norms(w, self.groups), x)
