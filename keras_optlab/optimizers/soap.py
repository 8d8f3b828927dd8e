"""SOAP."""

from functools import partial

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
from keras_optlab.core.matrices import eigh, recompute_if_due, times_along, unfold
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.core.periods import is_due
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine import Optimizer

AXES = 3  # matrices, inputs, outputs


def squared(axis: int, weight: Weight) -> Shape | None:
    """Return the shape of an axis' matrices, if the axis is rotated."""
    shape = weight.seen
    if weight.matrices is None or axis >= len(shape):
        return None
    n = shape[axis]
    return (n, n) if n <= weight.values.max_size else None


class SOAP(Optimizer, family="matrix"):
    r"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner, renewed periodically.

    A weight is a matrix of inputs by outputs, as its layer uses it, or several along a
    first axis. For each axis $i$, $G^{(i)}$ is the gradient unfolded into a matrix with
    a row for each position along $i$, $L^{(i)}_t = \beta_2 L^{(i)}_{t-1} + (1 -
    \beta_2) G_t^{(i)} G_t^{(i)\top}$, and $Q^{(i)}$ holds its eigenvectors.
    A hat means rotated into the basis by all $Q^{(i)\top}$:

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, \hat g_t^2,$$
    $$\theta_t = \theta_{t-1} - \eta\,
      \frac{\sqrt{1 - \beta_2^{t-1}}}{1 - \beta_1^{t-1}}
      \Bigl[\frac{\hat m_t}{\sqrt{v_t} + \epsilon}\Bigr]
      \text{ rotated back by all } Q^{(i)}$$

    The first gradient only initializes the basis. Each gradient is rotated by the basis
    from before it. Every $f$ updates, each $Q$ takes one step of power iteration,
    $Q \leftarrow \operatorname{qr}(L Q)$, ordered by the estimated eigenvalues. Vectors
    and scalars take Adam's step.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        period: $f$ >= 1 updates between steps of $Q$.
        max_size: Longest axis that is rotated.
        axes: In a `Group`: `(inputs, outputs)`, each an axis or a tuple of axes, for
            weights whose layer does not tell them; other axes count matrices. `None`:
            the step of vectors.
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Vyas et al., 2024, arXiv:2409.11321, Algorithm 3.

    >>> optimizer = SOAP(3e-3, period=10)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.003)
    beta_1: FloatOrSchedule = Beta(default=0.95, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.95, doc="second-moment decay rate β₂")
    period: int = Hyper(
        default=10, within=">= 1", integer=True, adjustable=False, doc="basis period f"
    )
    max_size: int = Hyper(
        default=2048, within=">= 1", integer=True, adjustable=False, doc="longest axis"
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")
    axes: AxesLike = LayerAxes()

    elementwise = False
    sees_matrices = True
    may_fail = True
    slots = (
        Slot("m"),
        Slot("v"),
        *(Slot(f"l_{i}", shape=partial(squared, i)) for i in range(AXES)),
        *(Slot(f"q_{i}", shape=partial(squared, i)) for i in range(AXES)),
    )
    paper = Paper(
        "SOAP: Improving and stabilizing Shampoo using Adam",
        "Vyas et al.",
        2024,
        "2409.11321",
    )
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "period": Choices((5, 10, 30)),
        },
        use_when="Updates count, and settings should be as forgiving as AdamW's.",
        not_when="Memory is short or layers wide: an axis adds two square matrices.",
    )

    def is_too_large(self, weight):
        return weight.matrices is not None and max(weight.seen) > weight.values.max_size

    def prepare(self, h, t, z):
        steps = ops.where(t > 1, t - 1, 1.0)
        bias_1 = one_minus_power(h.beta_1, steps)
        bias_2 = one_minus_power(h.beta_2, steps)
        rate = h.learning_rate * ops.sqrt(bias_2) / bias_1
        return h.extend(
            alpha_t=ops.where(t > 1, rate, 0.0),
            due=ops.where(ops.logical_and(t > 1, is_due(h.count, h.period)), 1.0, 0.0),
        ), z

    def update(self, w, g, s, h, t):
        axes = [i for i in range(AXES) if f"q_{i}" in s]
        later = ops.cast(t > 1, g.dtype)
        m = s.m + later * (1 - h.beta_1) * (g - s.m)
        turned = self.turn(g, s, axes)
        v = s.v + later * (1 - h.beta_2) * (ops.square(turned) - s.v)
        u = self.turn(m, s, axes) / (ops.sqrt(v) + h.epsilon)
        for i in axes:
            u = times_along(u, getattr(s, f"q_{i}"), i)
        outer = {i: self.outer_product(i, g, turned, s, h, t) for i in axes}
        s = s.next(m=m, v=v)
        for i in axes:
            s = self.next_basis(i, outer[i], s, h, t)
        return -h.alpha_t * u, s

    def turn(self, x, s, axes):
        """Return a tensor, rotated into the eigenbasis."""
        for i in axes:
            x = times_along(x, ops.transpose(getattr(s, f"q_{i}")), i)
        return x

    def outer_product(self, i, g, turned, s, h, t):
        """Return what a gradient adds to an axis' matrix."""
        rows = unfold(g, i)
        return rows @ ops.transpose(rows)

    def next_basis(self, i, outer, s, h, t):
        """Return the slots with an axis' next matrix and, if due, its next basis."""
        old, q = getattr(s, f"l_{i}"), getattr(s, f"q_{i}")
        total = ema(old, outer, h.beta_2)
        due = h.due > 0
        product = total @ q
        found = ops.argsort(-ops.sum(q * product, 0))
        order = ops.where(due, found, ops.arange(outer.shape[0], dtype=found.dtype))

        def power_step():
            return ops.qr(ops.take(product, order, axis=1))[0]

        def first():
            return ops.flip(eigh(total)[1], 1)

        q = recompute_if_due(t < 2, first, recompute_if_due(due, power_step, q))
        return self.reordered(i, order, s).next(**{f"l_{i}": total, f"q_{i}": q})

    def reordered(self, i, order, s):
        """Return the slots with an axis of the rotated ones in another order."""
        return s.next(v=ops.take(s.v, order, axis=i))
