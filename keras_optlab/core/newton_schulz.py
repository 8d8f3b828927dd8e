"""Newton-Schulz iterations, which orthogonalize matrices by products alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.core.errors import shown
from keras_optlab.core.matrices import frobenius, transposed
from keras_optlab.core.types import Tensor

Triple = tuple[Tensor | float, Tensor | float, Tensor | float]

RESTART = 3  # iterations after which the Gram matrix is computed anew
CHEAPER = 2  # longer side over shorter side from which the Gram form is cheaper
BETWEEN = 0.3, 2.5  # for the largest singular value; Polar Express reaches 1.97

# Amsel et al. (2025), Algorithm 1, before its safety factor.
OPTIMAL = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
)


def shrunk(triple: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the polynomial of $x / 1.01$, which keeps rounded values below its end."""
    a, b, c = triple
    return a / 1.01, b / 1.01**3, c / 1.01**5


COEFFICIENTS: dict[str, tuple[tuple[float, float, float], ...]] = {
    # Jordan et al. (2024)
    "jordan": ((3.4445, -4.775, 2.0315),),
    # You (2025), as in modded-nanogpt, Dion and timm
    "quintic": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
    # The matrix is divided by 1.01 too, so the first polynomial is shrunk twice.
    "polar_express": (
        shrunk(shrunk(OPTIMAL[0])),
        *map(shrunk, OPTIMAL[1:]),
        (1.875, -1.25, 0.375),
    ),
}


def check_coefficients(
    value: Any, names: Sequence[str] = tuple(COEFFICIENTS)
) -> str | tuple[tuple[float, float, float], ...]:
    """Return a known name or a tuple of triples, or raise if it is neither."""
    if isinstance(value, str):
        if value in names:
            return value
        raise ValueError(
            f"expected one of {', '.join(map(repr, names))}, or a sequence of triples. "
            f"Received: coefficients={shown(value)}"
        )
    try:
        triples = tuple((float(a), float(b), float(c)) for a, b, c in value)
    except (TypeError, ValueError):
        triples = ()
    if not triples or not all(map(math.isfinite, sum(triples, ()))):
        raise TypeError(
            f"expected one of {', '.join(map(repr, names))}, or a sequence of triples "
            f"(a, b, c) of finite numbers. Received: coefficients={shown(value)}"
        )
    check_singular_values(triples, f"coefficients={shown(value)}")
    return triples


def check_singular_values(coefficients: Sequence[Triple], received: str) -> None:
    """Raise if ten iterations do not keep singular values positive and near 1."""
    least, most = BETWEEN
    x = np.linspace(0.0, 1.0, 1001)
    for a, b, c in per_iteration(coefficients, 10):
        with np.errstate(all="ignore"):
            x = x * (a + b * x**2 + c * x**4)
        if x.min() < 0 or not least <= x.max() <= most:
            raise ValueError(
                "Newton-Schulz iterations must keep singular values in (0, 1] positive "
                f"and the largest one in [{least}, {most}]; with these coefficients "
                f"they come to lie in [{x.min():.3g}, {x.max():.3g}]. Received: "
                f"{received}. Start from (3.4445, -4.775, 2.0315)."
            )


def per_iteration(
    coefficients: str | Sequence[Triple], iterations: int
) -> list[Triple]:
    """Return the coefficients of each iteration; the last ones are repeated."""
    named = isinstance(coefficients, str)
    given = list(COEFFICIENTS[coefficients] if named else coefficients)
    return [given[min(i, len(given) - 1)] for i in range(iterations)]


def newton_schulz(
    x: Tensor, coefficients: Sequence[Triple], gram: bool = False
) -> Tensor:
    r"""Orthogonalize matrices approximately: bring their singular values near 1.

    From $X / \|X\|_F$, $X \leftarrow a X + (b A + c A^2) X$ with $A = X X^\top$ for
    each $(a, b, c)$ of `coefficients`, on the transpose of a tall matrix.

    Args:
        x: Matrices, of shape `(..., rows, columns)`.
        coefficients: A triple for each iteration.
        gram: Whether to use `by_gram` where it is cheaper.
    """
    rows, columns = x.shape[-2:]
    tall = rows > columns
    x = transposed(x) if tall else x
    x = x / (frobenius(x) + 1e-7)
    short, long = sorted((rows, columns))
    cheaper = gram and is_accurate(x) and len(coefficients) > 1
    if cheaper and long >= CHEAPER * short > 0:
        x = by_gram(x, coefficients)
    else:
        x = plainly(x, coefficients)
    return transposed(x) if tall else x


def is_accurate(x: Tensor) -> bool:
    """Return whether a dtype is accurate enough for the Gram form."""
    return keras.backend.standardize_dtype(x.dtype) in ("float32", "float64")


def plainly(x: Tensor, coefficients: Sequence[Triple]) -> Tensor:
    """Iterate on wide matrices of norm 1."""
    for a, b, c in coefficients:
        product = x @ transposed(x)
        x = a * x + (b * product + c * (product @ product)) @ x
    return x


def by_gram(x: Tensor, coefficients: Sequence[Triple]) -> Tensor:
    r"""Iterate on the Gram matrices of wide matrices of norm 1; equals `plainly`.

    An iteration multiplies $X$ from the left by a polynomial $P$ of $A = X X^\top$, so
    $A \leftarrow P A P$, and $X$ is needed only at the end, for the product of all $P$.
    In $A$, a singular value below the root of the rounding error is noise, which
    iterations amplify. $A$ is therefore computed from $X$ again every three iterations.
    """
    identity = ops.eye(x.shape[-2], dtype=x.dtype)
    for first in range(0, len(coefficients), RESTART):
        some = coefficients[first : first + RESTART]
        product, total = x @ transposed(x), None
        for i, (a, b, c) in enumerate(some):
            p = a * identity + b * product + c * (product @ product)
            total = p if total is None else p @ total
            if i + 1 < len(some):
                product = p @ (product @ p)
        x = total @ x
    return x
