"""Base of the optimizers that orthogonalize momentum and leave the rest to AdamW."""

import math
import re
from collections.abc import Sequence

from keras import ops

from keras_optlab.core import (
    Beta,
    Choice,
    Flag,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    Option,
    Slot,
    Values,
)
from keras_optlab.core.axes import AxesLike, LayerAxes, Matrices
from keras_optlab.core.matrices import frobenius, recompute_if_due
from keras_optlab.core.matrix_arguments import (
    ExcludeLayers,
    PerHead,
    WhichMatrices,
    chosen_matrices,
    is_embedding,
)
from keras_optlab.core.newton_schulz import (
    Triple,
    check_coefficients,
    newton_schulz,
    per_iteration,
)
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.core.periods import is_due
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.core.types import Tensor
from keras_optlab.engine import Optimizer


def orthogonalizable(weight: Weight) -> Matrices | None:
    """Return the matrices of a weight that is orthogonalized unless it is too large."""
    values, found = weight.values, chosen_matrices(weight)
    if values.adamw or any(re.search(p, weight.path) for p in values.exclude_layers):
        return None
    if found is None or values.axes != "layer":
        return found
    vectors = values.matrices == "layers" and min(found.shape[-2:]) == 1
    embedding = values.exclude_embeddings and is_embedding(weight)
    return None if vectors or embedding or found.role == "head" else found


def of_adamw(weight: Weight) -> Shape | None:
    """Return the shape of the second moment, which only AdamW keeps."""
    return weight.shape if weight.matrices is None else None


def of_matrices(weight: Weight) -> Shape | None:
    """Return the shape of matrices that are orthogonalized, else `None`."""
    return weight.seen if weight.matrices is not None else None


def of_period(weight: Weight) -> Shape | None:
    """Return the shape of the direction, which is stored if `period` > 1."""
    return of_matrices(weight) if weight.values.period > 1 else None


class OrthogonalizedMomentum(Optimizer, family="matrix", registered=False):
    """Momentum, orthogonalized in matrices; AdamW's step for all other weights.

    A subclass implements `scaled`, which gives an orthogonalized matrix its length. It
    may replace `matrix_direction`, which computes that matrix from the gradient.
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    weight_decay: FloatOrSchedule | None = Hyper(
        default=0.004, within=">= 0", optional=True, doc="decoupled weight decay λ"
    )
    momentum: FloatOrSchedule = Hyper(default=0.95, within="[0, 1)", doc="momentum μ")
    nesterov: bool = Flag(default=True, doc="Nesterov momentum")
    ns_steps: int = Hyper(
        default=5, within=">= 1", integer=True, adjustable=False, doc="NS iterations"
    )
    coefficients: str | Sequence[Sequence[float]] = Option(
        default="jordan", check=check_coefficients, doc="coefficients of NS"
    )
    gram: bool = Flag(default=False, doc="iterate on Gram matrices")
    scaling: str = Choice(
        default="moonlight", choices=("moonlight", "jordan"), doc="scale of an update"
    )
    rms_rate: FloatOrSchedule | None = Hyper(
        default=0.2, optional=True, doc="factor of the update scale"
    )
    period: int = Hyper(
        default=1, within=">= 1", integer=True, adjustable=False, doc="reuse period"
    )
    max_size: int = Hyper(
        default=8192, within=">= 1", integer=True, adjustable=False, doc="longest side"
    )
    matrices: str = WhichMatrices()
    axes: AxesLike = LayerAxes()
    per_head: bool = PerHead()
    exclude_layers: Sequence[str] | None = ExcludeLayers()
    exclude_embeddings: bool = Flag(default=True, doc="embeddings take AdamW's step")
    adamw: bool = Flag(default=False, by_group=True, doc="take AdamW's step")
    adam_lr_ratio: FloatOrSchedule = Hyper(
        default=1.0, within=">= 0", doc="factor on AdamW's rate"
    )
    adam_weight_decay: FloatOrSchedule | None = Hyper(
        default=0.004, within=">= 0", optional=True, doc="AdamW's weight decay"
    )
    adam_beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    adam_beta_2: FloatOrSchedule = Beta(
        default=0.999, doc="second-moment decay rate β₂"
    )
    epsilon: FloatOrSchedule = Hyper(
        default=1e-7, within=">= 0", doc="stabilizer ε of AdamW"
    )

    elementwise = False
    sees_matrices = True
    may_fail = True
    decays_in_rule = True
    slots = (
        Slot("m"),
        Slot("v", shape=of_adamw, short=True),
        Slot("direction", shape=of_period, short=True),
    )

    def as_matrices(self, weight):
        return None if self.is_too_large(weight) else orthogonalizable(weight)

    def is_too_large(self, weight):
        found = orthogonalizable(weight)
        return found is not None and min(found.shape[-2:]) > weight.values.max_size

    def prepare(self, h, t, z):
        bias_1 = one_minus_power(h.adam_beta_1, t)
        bias_2 = one_minus_power(h.adam_beta_2, t)
        adam_rate = h.learning_rate * h.adam_lr_ratio * ops.sqrt(bias_2) / bias_1
        return h.extend(adam_rate=adam_rate), z

    def update(self, w, g, s, h, t):
        if "v" in s:
            return self.adamw_step(w, g, s, h)
        o, s = self.matrix_direction(g, s, h)
        o, s = self.scaled(o, s, h)
        u = -h.learning_rate * o
        if h.weight_decay is not None:
            u = u - h.learning_rate * h.weight_decay * w
        return u, s

    def matrix_direction(self, g: Tensor, s: Values, h: Values):
        """Return the orthogonalized momentum and the next slots."""
        m = h.momentum * s.m + g
        s = s.next(m=m)
        x = g + h.momentum * m if h.nesterov else m
        if "direction" not in s:
            return self.orthogonalized(x, h), s
        due = is_due(h.count, h.period)
        o = recompute_if_due(due, lambda: self.orthogonalized(x, h), s.direction)
        return o, s.next(direction=o)

    def orthogonalized(self, x: Tensor, h: Values) -> Tensor:
        """Return matrices with singular values near 1."""
        return newton_schulz(x, self.triples(h), h.gram)

    def triples(self, h: Values) -> list[Triple]:
        """Return the coefficients of each iteration."""
        return per_iteration(h.coefficients, h.ns_steps)

    def scaled(self, o: Tensor, s: Values, h: Values) -> tuple[Tensor, Values]:
        """Return orthogonalized matrices with the length of an update, and the slots.

        Args:
            o: The matrices of inputs by outputs, as the engine gives them.
            s: The weight's slots.
            h: The hyperparameters.
        """
        raise NotImplementedError

    def adamw_step(self, w, g, s, h):
        """Return AdamW's update and the next slots."""
        m = ema(s.m, g, h.adam_beta_1)
        v = ema(s.v, ops.square(g), h.adam_beta_2)
        u = -h.adam_rate * m / (ops.sqrt(v) + h.epsilon)
        if h.adam_weight_decay is not None:
            u = u - h.learning_rate * h.adam_weight_decay * w
        return u, s.next(m=m, v=v)


def rescaled(x: Tensor, o: Tensor, h: Values) -> Tensor:
    r"""Return matrices $X$, each with the length of an update along it.

    The length makes its root mean square $\mathrm{rms\_rate}$ if `scaling` is
    `"moonlight"`. Otherwise, it is that of $O$, which has all singular values near 1,
    times $\sqrt{\max(1, \text{out} / \text{in})}$ if `scaling` is `"jordan"`.
    """
    rows, columns = x.shape[-2:]
    if h.scaling == "jordan":
        length = math.sqrt(max(1, columns / max(rows, 1))) * frobenius(o)
    elif h.rms_rate is None:
        length = frobenius(o)
    else:
        length = h.rms_rate * math.sqrt(rows * columns)
    return length / nonzero(frobenius(x)) * x


def nonzero(x: Tensor) -> Tensor:
    """Return a tensor with 1 in place of 0, to divide zeros by it."""
    return ops.where(x > 0, x, 1.0)
