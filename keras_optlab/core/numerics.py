"""Pure formulas that several rules share. Tensors in, tensors out, any backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


class DecayRate:
    r"""A decay factor $\beta$ together with an exact $1 - \beta$.

    In float32, $1 - 0.999$ is off by 1.3e-5 of its value, which is more than
    everything else in a step together. The complement is therefore stored and $\beta$
    derived from it; `1 - beta` gives the stored one back.

    Args:
        rest: The complement, $1 - \beta$; a number or a scalar tensor.
    """

    def __init__(self, rest: Tensor) -> None:
        self.rest = rest
        self.keep = 1.0 - rest

    def __mul__(self, other: Tensor) -> Tensor:
        return self.keep * other

    __rmul__ = __mul__

    def __rsub__(self, other: float) -> Tensor:
        return self.rest if other == 1 else other - self.keep

    def cast(self, dtype: str) -> DecayRate:
        """Return the same factor with the complement in another type."""
        return DecayRate(ops.cast(self.rest, dtype))


def ema(average: Tensor, x: Tensor, beta: DecayRate) -> Tensor:
    r"""Exponential moving average, $\beta a + (1 - \beta) x$."""
    return beta * average + (1 - beta) * x


def one_minus_power(beta: DecayRate, t: Tensor) -> Tensor:
    r"""Bias correction $1 - \beta^t$, to full relative accuracy for small $t$."""
    return -ops.expm1(t * ops.log1p(-beta.rest))


def maximum(x: Tensor, y: Tensor) -> Tensor:
    """Larger of a tensor and a tensor or number, entry by entry."""
    if keras.backend.standardize_dtype(x.dtype) == "float64":
        return ops.where(x < y, y, x)  # Keras on torch takes a maximum in float32
    return ops.maximum(x, y)


def minimum(x: Tensor, y: Tensor) -> Tensor:
    """Smaller of a tensor and a tensor or number, entry by entry."""
    return -maximum(-x, -y)


def wide(x: Tensor) -> Tensor:
    """Return a tensor in float32, or in float64 if that is what it is."""
    double = keras.backend.standardize_dtype(x.dtype) == "float64"
    return ops.cast(x, "float64" if double else "float32")


def safe_sqrt(x: Tensor) -> Tensor:
    """Square root whose gradient at 0 is 0, not infinite."""
    positive = x > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, x, 1.0)), 0.0)


def norm(x: Tensor) -> Tensor:
    """Euclidean norm of all entries of one tensor."""
    return ops.sqrt(ops.sum(ops.square(x)))


def global_norm(xs: Sequence[Tensor]) -> Tensor:
    """Euclidean norm of all entries of all tensors, in float32 or wider."""
    return ops.sqrt(wide_sum([ops.sum(ops.square(x)) for x in xs]))


def wide_sum(xs: Sequence[Tensor]) -> Tensor:
    """Sum of scalars, in float32, or in float64 if one of them is in that."""
    widest = "float64" if any("64" in str(x.dtype) for x in xs) else "float32"
    return sum(ops.cast(x, widest) for x in xs)


def soft_threshold(x: Tensor, threshold: Tensor) -> Tensor:
    r"""Proximal step of the L1 norm, $\mathrm{sign}(x) \max(|x| - \tau, 0)$."""
    return ops.sign(x) * maximum(ops.abs(x) - threshold, 0.0)
