"""Pure formulas that several rules share. Tensors in, tensors out, any backend."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
from keras import ops

from keras_optlab.core.types import Tensor


def scalar_dtype() -> str:
    """Return the dtype of scalars: float64 if floatx is float64, else float32."""
    return "float64" if keras.config.floatx() == "float64" else "float32"


class BetaTensor:
    r"""A moving-average coefficient $\beta$ together with an exact $1 - \beta$.

    In float32, $1 - 0.999$ has a relative error of 1.3e-5, more than everything else in
    a step together. The complement is therefore stored and $\beta$ derived from it;
    `1 - beta` returns the stored complement.

    Args:
        rest: The complement, $1 - \beta$; a number or a scalar tensor.
    """

    def __init__(self, rest: Tensor) -> None:
        self.complement = rest
        self.value = 1.0 - rest

    def __mul__(self, other: Tensor) -> Tensor:
        return self.value * other

    __rmul__ = __mul__

    def __rsub__(self, other: float) -> Tensor:
        return self.complement if other == 1 else other - self.value

    def cast(self, dtype: str) -> BetaTensor:
        """Return the same coefficient with its complement in another dtype."""
        if str(self.complement.dtype).endswith(str(dtype)):
            return self
        return BetaTensor(ops.cast(self.complement, dtype))


def ema(average: Tensor, x: Tensor, beta: BetaTensor) -> Tensor:
    r"""Return the exponential moving average, $\beta a + (1 - \beta) x$."""
    return beta * average + (1 - beta) * x


def one_minus_power(beta: BetaTensor, t: Tensor) -> Tensor:
    r"""Return the bias correction $1 - \beta^t$, with full precision for small $t$."""
    return -ops.expm1(t * ops.log1p(-beta.complement))


def cosine(x: Tensor) -> Tensor:
    """Return the cosine of an angle from -π to π, accurate in float64 too."""
    if keras.backend.standardize_dtype(x.dtype) != "float64":
        return ops.cos(x)
    # Keras on JAX computes in float32. Here: a series at x / 8, then three doublings
    y, versine = ops.square(x / 8), 1.0
    for n in range(13, 1, -2):
        versine = 1 - y / (n * (n + 1)) * versine
    versine = y / 2 * versine
    for _ in range(3):
        versine = 2 * versine * (2 - versine)
    return 1 - versine


def arctan2(y: Tensor, x: Tensor) -> Tensor:
    """Return the angle of a point with x >= 0, accurate in float64 too; 0 at (0, 0)."""
    if keras.backend.standardize_dtype(x.dtype) != "float64":
        return ops.arctan2(y, x)
    # Keras computes in float32. Here: by that angle the point is turned to about 0
    size = maximum(ops.abs(y), x)
    size = ops.where(size > 0, size, 1.0)
    y, x = y / size, x / size
    angle = ops.cast(ops.arctan2(y, x), "float64")
    cos, sin = cosine(angle), cosine(angle - math.pi / 2)
    radius = x * cos + y * sin
    return angle + (y * cos - x * sin) / ops.where(radius > 0, radius, 1.0)


def maximum(x: Tensor, y: Tensor) -> Tensor:
    """Return the larger of a tensor and a tensor or number, entry by entry."""
    if keras.backend.standardize_dtype(x.dtype) == "float64":
        return ops.where(x < y, y, x)  # Keras on torch computes it in float32
    return ops.maximum(x, y)


def minimum(x: Tensor, y: Tensor) -> Tensor:
    """Return the smaller of a tensor and a tensor or number, entry by entry."""
    return -maximum(-x, -y)


def wide(x: Tensor) -> Tensor:
    """Cast a tensor to float32; leave float64 as it is."""
    double = keras.backend.standardize_dtype(x.dtype) == "float64"
    return ops.cast(x, "float64" if double else "float32")


def safe_sqrt(x: Tensor) -> Tensor:
    """Return the square root; its gradient at 0 is 0, not infinite."""
    positive = x > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, x, 1.0)), 0.0)


def norm(x: Tensor) -> Tensor:
    """Return the Euclidean norm of all entries of one tensor."""
    return ops.sqrt(ops.sum(ops.square(x)))


def sqrt_beta(beta: BetaTensor) -> BetaTensor:
    r"""Return the coefficient $\sqrt\beta$."""
    return BetaTensor(beta.complement / (1 + ops.sqrt(beta.value)))


def mean(
    x: Tensor, axis: int | Sequence[int] | None = None, keepdims: bool = False
) -> Tensor:
    """Return the mean over some axes or over all entries; 0 where there are none."""
    total = ops.sum(x, axis=axis, keepdims=keepdims)
    return total / max(math.prod(x.shape) // max(math.prod(total.shape), 1), 1)


def rms(x: Tensor) -> Tensor:
    """Return the root mean square of all entries of one tensor."""
    return ops.sqrt(mean(ops.square(x)))


def safe_rms(x: Tensor) -> Tensor:
    """Return the root mean square, also if squares overflow or underflow."""
    most = ops.max(ops.abs(x))
    shrink = ops.where(most > 1, 2.0**-64, 1.0)  # or 1 / most may be subnormal
    shrink = ops.cast(shrink, x.dtype)  # `where` of two numbers is in floatx
    x, most = x * shrink, most * shrink
    return most * rms(x / ops.where(most > 0, most, 1.0)) / shrink


def factored_root(rows: Tensor, columns: Tensor) -> Tensor:
    r"""Return the root of $R C / \mathrm{mean}(R)$, from row means and column means."""
    share = rows / ops.expand_dims(mean(rows, -1), -1)
    return ops.expand_dims(ops.sqrt(share), -1) * ops.expand_dims(ops.sqrt(columns), -2)


def trust_ratio(w_norm: Tensor, u_norm: Tensor) -> Tensor:
    """Return the quotient of two norms, 1 where one of them is zero."""
    both = ops.logical_and(w_norm > 0, u_norm > 0)
    return ops.where(both, w_norm / ops.where(both, u_norm, 1.0), 1.0)


def simple_average_length(beta: BetaTensor, t: Tensor) -> Tensor:
    r"""Return the length of the simple average nearest to a moving one at step $t$.

    $\frac{2}{1 - \beta} - 1 - \frac{2 t \beta^t}{1 - \beta^t}$, where the large terms
    cancel and float32 would lose most digits. With $L = -\ln \beta$ and $x = t L$, it
    is $(\frac{2}{1 - \beta} - 1 - \frac2L) + \frac2L (1 - \frac{x}{e^x - 1})$, and both
    brackets have a series.
    """
    rest, log = beta.complement, -ops.log1p(-beta.complement)
    x = t * log
    near = series(rest, 0, 1 / 6, 1 / 12, 19 / 360, 3 / 80, 863 / 30240, 275 / 12096)
    offset = ops.where(rest < 0.03, near, 2 / rest - 1 - 2 / log)
    even = series(ops.square(x), 0, 1 / 12, -1 / 720, 1 / 30240, -1 / 1209600)
    rising = ops.where(x < 0.3, x / 2 - even, 1 - x / ops.expm1(x))
    return offset + 2 / log * rising


def series(x: Tensor, *coefficients: float) -> Tensor:
    """Return a polynomial, given its coefficients from the constant on."""
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = c + x * total
    return total


def global_norm(xs: Sequence[Tensor]) -> Tensor:
    """Return the Euclidean norm of all entries of all tensors, in float32 or wider."""
    return ops.sqrt(wide_sum([ops.sum(ops.square(x)) for x in xs]))


def wide_sum(xs: Sequence[Tensor]) -> Tensor:
    """Return the sum of scalars, in float64 if one of them is, else in float32."""
    widest = "float64" if any("64" in str(x.dtype) for x in xs) else "float32"
    return sum(ops.cast(x, widest) for x in xs)


def soft_threshold(x: Tensor, threshold: Tensor) -> Tensor:
    r"""Return the L1 norm's proximal step, $\mathrm{sign}(x) \max(|x| - \tau, 0)$."""
    return ops.sign(x) * maximum(ops.abs(x) - threshold, 0.0)
