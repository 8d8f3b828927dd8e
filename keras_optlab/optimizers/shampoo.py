"""Shampoo."""

from functools import partial

from keras import ops

from keras_optlab.core import (
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
from keras_optlab.core.matrices import (
    inverse_root,
    recompute_if_due,
    times_along,
    unfold,
)
from keras_optlab.core.periods import is_due
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine import Optimizer

AXES = 6  # most axes of a weight


def statistics(axis: int, weight: Weight) -> Shape | None:
    """Return the shape of an axis' statistics: a matrix, or its diagonal."""
    shape = weight.seen or (1,)
    if axis >= len(shape):
        return None
    n, whole = shape[axis], weight.matrices is not None or len(shape) == 1
    return (n, n) if whole and n <= weight.values.max_size else (n,)


def roots(axis: int, weight: Weight) -> Shape | None:
    """Return the shape of an inverse root, which is stored if `period` > 1."""
    shape = statistics(axis, weight)
    again = weight.values.period > 1 and shape is not None and len(shape) == 2
    return shape if again else None


class Shampoo(Optimizer, family="matrix"):
    r"""Shampoo: the gradient, preconditioned along each axis by an inverse matrix root.

    For a weight of $k$ axes, with $G^{(i)}$ the gradient unfolded into a matrix with a
    row for each position along axis $i$, and $\times_i$ the product along that axis,

    $$L_t^{(i)} = L_{t-1}^{(i)} + G_t^{(i)} G_t^{(i)\top}, \qquad
      L_0^{(i)} = \epsilon I,$$
    $$\theta_t = \theta_{t-1} - \eta\; g_t
      \times_1 (L_t^{(1)})^{-1/2k} \cdots \times_k (L_t^{(k)})^{-1/2k}$$

    Args:
        learning_rate: $\eta$ >= 0.
        epsilon: $\epsilon$ > 0.
        period: Number of updates >= 1 that use the same roots; eigendecompositions
            dominate the cost of a step. The paper has 1, and more in practice.
        max_size: Longest axis with a full matrix; longer axes keep only its diagonal.
        axes: In a `Group`: `(inputs, outputs)`, each an axis or a tuple of axes, for
            weights whose layer does not tell them; other axes count matrices. `None`:
            the step of vectors.
        **kwargs: Arguments of every `Optimizer`.

    Raises:
        ValueError: if a weight with `axes=None` has more than six axes.

    Source: Gupta, Koren and Singer, 2018, arXiv:1802.09568, Algorithms 1 and 2, and its
    diagonal variant for long axes.

    >>> optimizer = Shampoo(0.1, period=10)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.1)
    epsilon: FloatOrSchedule = Hyper(default=1e-4, doc="initial diagonal ε")
    period: int = Hyper(
        default=1, within=">= 1", integer=True, adjustable=False, doc="reuse of roots"
    )
    max_size: int = Hyper(
        default=1024, within=">= 0", integer=True, adjustable=False, doc="longest axis"
    )
    axes: AxesLike = LayerAxes()

    elementwise = False
    sees_matrices = True
    may_fail = True
    slots = (
        *(Slot(f"l_{i}", shape=partial(statistics, i)) for i in range(AXES)),
        *(Slot(f"root_{i}", shape=partial(roots, i)) for i in range(AXES)),
    )
    paper = Paper(
        "Shampoo: Preconditioned stochastic tensor optimization",
        "Gupta, Koren and Singer",
        2018,
        "1802.09568",
    )
    tuning = Tuning(
        around(0.1),
        others={
            "period": Choices((5, 10, 50)),
            "epsilon": LogUniform(1e-6, 1e-2),
        },
        use_when="Entries of gradients are correlated, and updates count, not seconds.",
        not_when="Training is long: its sums only grow, where SOAP's forget.",
    )

    def is_too_large(self, weight):
        return weight.matrices is not None and max(weight.seen) > weight.values.max_size

    def update(self, w, g, s, h, t):
        axes = max(len(w.shape), 1)
        if axes > AXES:
            raise ValueError(f"Shampoo takes up to {AXES} axes. Received: {axes}")
        if 0 in w.shape:
            return g, s
        u = g
        for i in range(axes):
            s, root = self.root(i, unfold(g, i), s, h, 2 * axes)
            if len(root.shape) == 2:
                u = times_along(u, root, i)
            else:
                u = u * ops.reshape(root, [-1 if j == i else 1 for j in range(axes)])
        return -h.learning_rate * u, s

    def root(self, i, rows, s, h, order):
        """Return the slots with an axis' new statistics, and their inverse root."""
        name, held = f"l_{i}", f"root_{i}"
        old = getattr(s, name)
        if len(old.shape) == 1:
            total = old + ops.sum(ops.square(rows), 1)
            return s.next(**{name: total}), ops.power(total + h.epsilon, -1 / order)
        total = old + rows @ ops.transpose(rows)
        matrix = total + h.epsilon * ops.eye(rows.shape[0], dtype=rows.dtype)
        if held not in s:
            return s.next(**{name: total}), inverse_root(matrix, order)
        due = is_due(h.count, h.period)
        root = recompute_if_due(
            due, lambda: inverse_root(matrix, order), getattr(s, held)
        )
        return s.next(**{name: total, held: root}), root
