"""APOLLO."""

import keras
from keras import ops

from keras_optlab.core import (
    Beta,
    Choice,
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
from keras_optlab.core.matrices import frobenius, recompute_if_due, transposed
from keras_optlab.core.numerics import ema, maximum, norm, one_minus_power
from keras_optlab.core.periods import is_due
from keras_optlab.core.randomness import seed_at
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine import Optimizer
from keras_optlab.optimizers.galore import basis, leading_vectors, projected

GROWTH = 1.01  # largest growth of an update's norm in one step
NO_LENGTH = 1e-8  # a norm below is that of no gradient, which nothing could grow from


def length(weight: Weight) -> Shape | None:
    """Return the shape of the slot for the norm of a matrix's last update."""
    return None if weight.matrices is None else ()


class Apollo(Optimizer, family="memory-efficient"):
    r"""APOLLO: gradient scaled per channel by Adam's factor in a random low-rank space.

    Every $T$ updates $P$ becomes a new random matrix with $r$ columns; then, for a
    gradient with at least as many rows as columns (or else its transpose),

    $$r_t = g_t P, \qquad
      m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, r_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, r_t^2, \qquad
      a_t = m_t / (\sqrt{v_t} + \epsilon),$$
    $$u_t = \sqrt\alpha\, \operatorname{diag}\Bigl(\frac{\|a_t\|}{\|r_t\|}\Bigr)\, g_t,
      \qquad \theta_t = \theta_{t-1}
      - \eta\, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\, u_t$$

    with row norms. The norm of $u_t$ grows by at most 1 % per step, if the last one is
    above 1e-8: in the authors' code a weight stays where it is for good after one
    gradient of zero. Vectors and scalars take Adam's step; others are matrices of
    inputs by outputs, as their layers use them.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        rank: $r$ >= 1, limited to the shorter side of each matrix.
        period: $T$ >= 1 updates.
        scale: $\alpha$ > 0: 1 per channel, 128 per tensor.
        scaling: `"channel"` as above, or `"tensor"` with the norms of whole matrices:
            with `rank=1`, APOLLO-Mini.
        projection: `"random"`, or `"svd"` for the gradient's first singular vectors.
        epsilon: $\epsilon$ >= 0, placed as `"hat"` in `Adam`.
        axes: In a `Group`: `(inputs, outputs)`, each an axis or a tuple of axes, for
            weights whose layer does not tell them; other axes count matrices. `None`:
            the step of vectors.
        **kwargs: Arguments of every `Optimizer`.

    Source: Zhu et al., 2024, arXiv:2412.05270, Algorithm 1. pytorch_optimizer 4.1
    scales the projected gradient and projects it back, so its updates have rank $r$.

    >>> mini = Apollo(0.01, rank=1, scaling="tensor", scale=128.0)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    rank: int = Hyper(
        default=128, within=">= 1", integer=True, adjustable=False, doc="rank r"
    )
    period: int = Hyper(
        default=200, within=">= 1", integer=True, adjustable=False, doc="period T of P"
    )
    scale: FloatOrSchedule = Hyper(default=1.0, doc="factor α on matrices")
    scaling: str = Choice(
        default="channel", choices=("channel", "tensor"), doc="extent of a scale factor"
    )
    projection: str = Choice(
        default="random", choices=("random", "svd"), doc="kind of projection P"
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-6, within=">= 0", doc="stabilizer ε")
    axes: AxesLike = LayerAxes()

    elementwise = False
    sees_matrices = True
    may_fail = True
    slots = (
        Slot("basis", shape=basis),
        Slot("m", shape=projected, short=True),
        Slot("v", shape=projected, short=True),
        Slot("length", shape=length),
    )
    paper = Paper(
        "APOLLO: SGD-like memory, AdamW-level performance",
        "Zhu et al.",
        2024,
        "2412.05270",
    )
    tuning = Tuning(
        around(0.01),
        others={
            "rank": LogUniform(4, 256, integer=True),
            "scale": LogUniform(0.3, 3.0),
        },
        use_when="A large transformer must train in little memory, at a small `rank`.",
        not_when="Matrices are small: a `rank` near their shorter side saves nothing.",
    )

    def prepare(self, h, t, z):
        bias_1, bias_2 = one_minus_power(h.beta_1, t), one_minus_power(h.beta_2, t)
        return h.extend(alpha_t=h.learning_rate * ops.sqrt(bias_2) / bias_1), z

    def update(self, w, g, s, h, t):
        if "basis" not in s:
            s = self.averaged(g, s, h)
            return -h.alpha_t * s.m / (ops.sqrt(s.v) + h.epsilon), s
        wide = g.shape[-2] <= g.shape[-1]
        long = transposed(g) if wide else g
        p = recompute_if_due(
            is_due(h.count, h.period), lambda: self.basis(long, s.basis, h), s.basis
        )
        low = long @ p
        s = self.averaged(low, s.next(basis=p), h)
        adapted = s.m / (ops.sqrt(s.v) + h.epsilon)
        size = row_norms if h.scaling == "channel" else frobenius
        u = ops.sqrt(h.scale) * size(adapted) / (size(low) + 1e-8) * long
        longest = norm(u)
        allowed = maximum(longest / (s.length + 1e-8), GROWTH) / GROWTH
        limiter = ops.where(s.length > NO_LENGTH, allowed, 1.0)
        u = (transposed(u) if wide else u) / limiter
        return -h.alpha_t * u, s.next(length=longest / limiter)

    def averaged(self, g, s, h):
        """Return the slots with updated moments."""
        return s.next(m=ema(s.m, g, h.beta_1), v=ema(s.v, ops.square(g), h.beta_2))

    def basis(self, matrix, old, h):
        """Return a new projection in the shape of the old one."""
        if h.projection == "svd":
            return leading_vectors(matrix, old.shape[-1])
        key = seed_at(0, h.count)
        drawn = keras.random.normal(old.shape, dtype="float32", seed=key)
        return ops.cast(drawn, matrix.dtype) / old.shape[-1] ** 0.5


def row_norms(x):
    """Return the norm of each row, as a column."""
    return ops.sqrt(ops.sum(ops.square(x), -1, keepdims=True))
