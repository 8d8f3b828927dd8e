"""Maximum spectral norm."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_optlab.constraints.norms import like
from keras_optlab.core import Declared, Hyper
from keras_optlab.core.numerics import maximum
from keras_optlab.core.spectral import as_matrix, largest_singular_value
from keras_optlab.core.types import Tensor


def spectral_norm(w: Tensor, max_value: Any, iterations: int = 10) -> Tensor:
    r"""Return $w \min(1, c / \sigma)$ with its largest singular value $\sigma$."""
    sigma = largest_singular_value(as_matrix(w), iterations)
    limit = like(max_value, sigma)
    return ops.cast(ops.cast(w, sigma.dtype) * (limit / maximum(sigma, limit)), w.dtype)


class SpectralNorm(Declared, keras.constraints.Constraint):
    """Upper bound c on the largest singular value of a kernel, by rescaling.

        w ← w · min(1, c / σ(W))

    where W is the kernel as a matrix (all axes but the last are merged; a vector is one
    column). All singular values shrink by the same factor; the Euclidean projection
    would clip only those above c.

    σ comes from power iteration, which starts every step from the same random vector. σ
    is up to a few percent too small if the largest singular values are close together
    (about 2 % after 10 iterations on a random 512 x 512 matrix), and the bound is
    exceeded by as much. An iteration costs as much as the forward pass of a `Dense`
    layer on two inputs. `keras.layers.SpectralNormalization` differs: it wraps a layer,
    always divides by σ, and keeps its vector between steps.

    Args:
        max_value: The bound c; finite, > 0. Defaults to 1.
        iterations: Number of power iterations; integer >= 1. Defaults to 10.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is not a number, or `iterations` not an integer.

    Source:
        Gouk, Frank, Pfahringer and Cree, "Regularisation of Neural Networks by
        Enforcing Lipschitz Continuity", 2018, arXiv:1804.04368.

    Example:
        >>> from keras import ops
        >>> w = SpectralNorm(1.0)(ops.array([[4.0, 0.0], [0.0, 2.0]]))
        >>> ops.convert_to_numpy(w).round(3).tolist()
        [[1.0, 0.0], [0.0, 0.5]]
    """

    max_value: float = Hyper(
        default=1.0, doc="largest singular value c", adjustable=False
    )
    iterations: int = Hyper(
        default=10,
        doc="number of power iterations",
        within=">= 1",
        adjustable=False,
        integer=True,
    )

    def __call__(self, w: Any) -> Any:
        """Return the scaled weight."""
        return spectral_norm(ops.convert_to_tensor(w), self.max_value, self.iterations)
