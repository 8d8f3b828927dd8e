"""Kron."""

import math
from functools import partial

import keras
from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.axes import AxesLike, LayerAxes
from keras_optlab.core.factors import multiply_along, solve_along, transposed
from keras_optlab.core.matrices import spectral_norm, unfold
from keras_optlab.core.numerics import (
    ema,
    maximum,
    mean,
    minimum,
    one_minus_power,
    safe_rms,
)
from keras_optlab.core.periods import is_due
from keras_optlab.core.randomness import seed_at
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine import Optimizer

AXES = 6  # most axes of a weight
DAMPING = 2.0**-13  # noise added to m, relative to the mean of |m|
FLAT, FALL, LAST = 500, 1000, 0.03  # updates, updates, final share of due updates
SETTLED = 5000  # updates; after them the same 3 of each 100 are due


def factor(axis: int, weight: Weight) -> Shape | None:
    """Return the shape of the factor of an axis: a matrix, or its diagonal."""
    shape = weight.seen or (1,)
    if axis >= len(shape):
        return None
    n, whole = shape[axis], weight.matrices is not None
    return (n, n) if whole and 1 < n <= weight.values.max_size else (n,)


class Kron(Optimizer, family="matrix"):
    r"""PSGD Kron: momentum whitened by one triangular preconditioner per axis.

    With $m$ the bias-corrected first moment, $\times_i$ a product along axis $i$ of
    $k$, and $X^{(i)}$ a tensor unfolded into a matrix with a row for each position
    along axis $i$,

    $$u_t = m_t \times_1 Q_1^\top Q_1 \cdots \times_k Q_k^\top Q_k, \qquad
      \theta_t = \theta_{t-1} - \eta\, u_t \min(1,\, \rho / \operatorname{rms}(u_t))$$

    The $Q_i$ are fitted so that $u$ has covariance $I$. With a random probe
    $v \sim N(0, I)$,

    $$A = m_t \times_1 Q_1 \cdots \times_k Q_k, \qquad
      B = v \times_1 Q_1^{-\top} \cdots \times_k Q_k^{-\top},$$
    $$Q_i \leftarrow Q_i - \mu\, \frac{
      \operatorname{triu}(A^{(i)} A^{(i)\top} - B^{(i)} B^{(i)\top})}{
      \|A^{(i)} A^{(i)\top} + B^{(i)} B^{(i)\top}\|}\, Q_i$$

    Vectors and axes longer than `max_size` have a diagonal $Q_i$. All $Q_i$ are zero
    until the first non-zero gradient, then multiples of $I$ that give the first $u$ an
    RMS of 1, so steps do not depend on the scale of the loss. In $A$, $m$ has noise
    added: $v$ times $2^{-13}$ of the mean of $|m|$. Without noise, factors of entries
    without gradient grow without bound. The factors are fitted at each of the first 500
    updates and then less and less often, in the end at 3 % of the updates.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        fit_rate: $\mu$ in (0, 1).
        max_rms: $\rho$ > 0.
        period: Updates >= 1 from one fit to the next; `None` as above.
        max_size: Longest axis >= 0 with a full $Q_i$; longer axes have a diagonal one.
        axes: In a `Group`: `(inputs, outputs)`, each an axis or a tuple of axes, for
            weights whose layer does not tell them; other axes count matrices. `None`:
            the step of vectors.
        **kwargs: Arguments of every `Optimizer`.

    Raises:
        ValueError: if a weight with `axes=None` has more than six axes.

    Source: Li, 2015, arXiv:1512.04202, and 2024, arXiv:2402.11858, for the fit;
    momentum, clipping and the falling share of fits are those of kron_torch. Here the
    updates with a fit are not drawn at random, factors are balanced after every fit,
    and probes are seeded by the number of the update, so a resumed run repeats.

    >>> optimizer = Kron(3e-4, weight_decay=0.1)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    fit_rate: FloatOrSchedule = Hyper(default=0.1, within="(0, 1)", doc="fit rate μ")
    max_rms: FloatOrSchedule = Hyper(default=1.1, doc="largest update RMS ρ")
    period: int | None = Hyper(
        default=None, within=">= 1", integer=True, adjustable=False, doc="fit period"
    )
    max_size: int = Hyper(
        default=8192, within=">= 0", integer=True, adjustable=False, doc="longest axis"
    )
    axes: AxesLike = LayerAxes()

    elementwise = False
    sees_matrices = True
    may_fail = True
    slots = (
        Slot("m"),
        *(Slot(f"q_{i}", shape=partial(factor, i)) for i in range(AXES)),
    )
    paper = Paper(
        "Preconditioned stochastic gradient descent", "Li", 2015, "1512.04202"
    )
    tuning = Tuning(
        around(2e-3),
        others={
            "weight_decay": LogUniform(0.01, 1.0),
            "period": Choices((None, 3, 10)),
        },
        use_when="The number of updates counts: a whitened momentum needs few of them.",
        not_when="Seconds count: on small batches its products outweigh a gradient.",
    )

    def is_too_large(self, weight):
        return weight.matrices is not None and max(weight.seen) > weight.values.max_size

    def prepare(self, h, t, z):
        if h.period:
            due = is_due(h.count, h.period)
        else:
            x = ops.cast(recurrent(h.count), t.dtype)
            due = fits(x) > fits(x - 1)
        due = ops.cast(due, t.dtype)
        return h.extend(due=due, bias=one_minus_power(h.beta_1, t)), z

    def update(self, w, g, s, h, t):
        if len(w.shape) > AXES:
            raise ValueError(f"Kron takes up to {AXES} axes. Received: {len(w.shape)}")
        if 0 in w.shape:
            return g, s
        s = s.next(m=ema(s.m, g, h.beta_1))
        m = s.m / h.bias
        names = [f"q_{i}" for i in range(max(len(w.shape), 1))]
        size = safe_rms(m)
        q = [started(getattr(s, name), size, len(names)) for name in names]
        due = ops.logical_and(h.due > 0, size > 0)
        q = ops.cond(due, lambda: fitted(q, m, h), lambda: q)
        u = m
        for i, x in enumerate(q):
            u = multiply_along(multiply_along(u, x, i), transposed(x), i)
        size = safe_rms(u)
        u = u * minimum(h.max_rms / ops.where(size > 0, size, 1.0), 1.0)
        return -h.learning_rate * u, s.next(**dict(zip(names, q, strict=True)))


def recurrent(count):
    """Map an update's number to one below `SETTLED + 100` with the same fits due."""
    late = SETTLED + (count - SETTLED) % 100
    return ops.where(count > SETTLED, late, count)


def fits(t):
    """Return the number of fits due in the first `t` updates: at first one in each."""
    falling = minimum(maximum(t - FLAT, 0.0), -FALL * math.log(LAST))
    rest = maximum(t - FLAT + FALL * math.log(LAST), 0.0)
    fallen = -FALL * ops.expm1(-falling / FALL)
    return ops.floor(minimum(t, float(FLAT)) + fallen + LAST * rest)


def started(q, size, count):
    """Return the factor, which at the first gradient becomes a multiple of I."""
    one = ops.eye(q.shape[0], dtype=q.dtype) if len(q.shape) == 2 else ops.ones_like(q)
    known = size > 0
    scale = ops.where(known, ops.where(known, size, 1.0) ** (-0.5 / count), 0.0)
    return ops.where(ops.max(ops.abs(q)) > 0, q, scale * one)


def fitted(factors, m, h):
    """Return the factors after one fitting step towards whitening."""
    drawn = keras.random.normal(m.shape, dtype="float32", seed=seed_at(0, h.count))
    v = ops.cast(drawn, m.dtype)
    a, b = m + DAMPING * mean(ops.abs(m)) * v, v
    for i, q in enumerate(factors):
        a, b = multiply_along(a, q, i), solve_along(b, q, i)
    most = maximum(ops.max(ops.abs(a)), ops.max(ops.abs(b)))  # lest squares overflow
    a, b = a / most, b / most
    new = [step(q, unfold(a, i), unfold(b, i), h) for i, q in enumerate(factors)]
    sizes = [ops.max(ops.abs(q)) for q in new]
    middle = ops.exp(sum(map(ops.log, sizes)) / len(sizes))
    return [q * (middle / size) for q, size in zip(new, sizes, strict=True)]


def step(q, a, b, h):
    """Return one factor after a fitting step."""
    if len(q.shape) == 1:
        a, b = ops.sum(ops.square(a), 1), ops.sum(ops.square(b), 1)
        return q - h.fit_rate * (a - b) / ops.max(a + b) * q
    a, b = a @ ops.transpose(a), b @ ops.transpose(b)
    n = ops.arange(q.shape[0])  # on torch, `triu` waits for all threads
    upper = ops.where(n[:, None] <= n, a - b, 0.0)
    return q - h.fit_rate / spectral_norm(a + b) * (upper @ q)
