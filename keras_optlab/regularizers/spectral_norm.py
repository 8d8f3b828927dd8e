"""Spectral norm regularization."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_optlab.core import Hyper
from keras_optlab.core.spectral import as_matrix, largest_singular_value
from keras_optlab.regularizers.penalty import Factor, Penalty


class SpectralNorm(Penalty):
    """Penalty on the largest singular value: a layer reacts less to input changes.

        penalty(w) = factor · σ(W)²

    where W is the kernel as a matrix (all axes but the last are merged; a vector is one
    column) and σ its largest singular value, from power iteration. The singular vectors
    u, v are constants in the gradient, which is 2 · factor · σ · uvᵀ.

    The paper keeps v between steps and runs one iteration per step. A regularizer has
    no state, so this one starts from the same random vector every time and runs several
    iterations. σ is up to a few percent too small if the largest singular values are
    close together (about 2 % after 10 iterations on a random 512 x 512 matrix). An
    iteration costs as much as a layer's forward pass on two inputs. The paper's factor
    is λ/2.

    Args:
        factor: Factor of the penalty; finite, >= 0. Defaults to 0.01.
        iterations: Number of power iterations; integer >= 1. Defaults to 10.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is not a number, or `iterations` not an integer.

    Source:
        Yoshida and Miyato, "Spectral Norm Regularization for Improving the
        Generalizability of Deep Learning", 2017, arXiv:1705.10941, Algorithm 1.

    Example:
        >>> from keras import ops
        >>> round(float(SpectralNorm(0.5)(ops.array([[3.0, 0.0], [0.0, 1.0]]))), 3)
        4.5
    """

    factor: float = Factor(doc="factor of the squared singular value")
    iterations: int = Hyper(
        default=10,
        doc="number of power iterations",
        within=">= 1",
        adjustable=False,
        integer=True,
    )

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a tensor, a scalar of its dtype."""
        return self.weighted("factor", self._measure, x)

    def _measure(self, x: Any) -> Any:
        return ops.square(largest_singular_value(as_matrix(x), self.iterations))
