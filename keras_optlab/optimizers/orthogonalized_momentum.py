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
from keras_optlab.core.errors import shown
from keras_optlab.core.matrices import matrix_shape, recompute_if_due
from keras_optlab.core.newton_schulz import (
    Triple,
    check_coefficients,
    frobenius,
    newton_schulz,
    per_iteration,
)
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.core.periods import is_due
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.core.types import Tensor
from keras_optlab.engine import Optimizer


def is_for_adamw(weight: Weight) -> bool:
    """Return whether a weight takes AdamW's step."""
    axes, values = len(weight.shape), weight.values
    if axes < 2 or (axes > 2 and not values.flatten_kernels) or values.adamw:
        return True
    embedding = values.exclude_embeddings and "embedding" in weight.path.lower()
    named = any(re.search(pattern, weight.path) for pattern in values.exclude_layers)
    return embedding or named or min(matrix_shape(weight.shape)) > values.max_size


def of_adamw(weight: Weight) -> Shape | None:
    """Return the shape of the second moment, which only AdamW keeps."""
    return weight.shape if is_for_adamw(weight) else None


def of_matrices(weight: Weight) -> Shape | None:
    """Return the shape of a weight that is orthogonalized, else `None`."""
    return None if is_for_adamw(weight) else weight.shape


def of_period(weight: Weight) -> Shape | None:
    """Return the shape of the direction, which is stored if `period` > 1."""
    again = weight.values.period > 1 and not is_for_adamw(weight)
    return weight.shape if again else None


def check_patterns(value: object) -> tuple[str, ...]:
    """Return regular expressions as a tuple, or raise if one is invalid."""
    patterns = [value] if isinstance(value, str) else value
    if patterns is None:
        return ()
    if not isinstance(patterns, list | tuple) or not all(
        isinstance(p, str) for p in patterns
    ):
        raise TypeError(
            "expected a list of regular expressions. "
            f"Received: exclude_layers={shown(value)}"
        )
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                "expected regular expressions. "
                f"Received: exclude_layers={shown(value)}, where {pattern!r} is "
                f"invalid: {error}"
            ) from None
    return tuple(patterns)


def to_matrices(x: Tensor) -> Tensor:
    """Return a weight, or a slot of its shape, as matrices (..., inputs, outputs)."""
    return ops.reshape(x, matrix_shape(x.shape))


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
    flatten_kernels: bool = Flag(default=False, doc="flatten convolution kernels")
    exclude_layers: Sequence[str] | None = Option(
        default=None, check=check_patterns, doc="layers that take AdamW's step"
    )
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
    may_fail = True
    decays_in_rule = True
    slots = (
        Slot("m"),
        Slot("v", shape=of_adamw),
        Slot("direction", shape=of_period),
    )

    def is_too_large(self, shape, values):
        return len(shape) > 1 and min(matrix_shape(shape)) > values.max_size

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
        u = -h.learning_rate * ops.reshape(o, w.shape)
        if h.weight_decay is not None:
            u = u - h.learning_rate * h.weight_decay * w
        return u, s

    def matrix_direction(self, g: Tensor, s: Values, h: Values):
        """Return the orthogonalized momentum as matrices, and the next slots."""
        m = h.momentum * s.m + g
        s = s.next(m=m)
        x = g + h.momentum * m if h.nesterov else m
        if "direction" not in s:
            return self.orthogonalized(to_matrices(x), h), s

        def renewed():
            return ops.reshape(self.orthogonalized(to_matrices(x), h), x.shape)

        o = recompute_if_due(is_due(h.count, h.period), renewed, s.direction)
        return to_matrices(o), s.next(direction=o)

    def orthogonalized(self, x: Tensor, h: Values) -> Tensor:
        """Return matrices with singular values near 1."""
        return newton_schulz(x, self.triples(h), h.gram)

    def triples(self, h: Values) -> list[Triple]:
        """Return the coefficients of each iteration."""
        return per_iteration(h.coefficients, h.ns_steps)

    def scaled(self, o: Tensor, s: Values, h: Values) -> tuple[Tensor, Values]:
        """Return orthogonalized matrices with the length of an update, and the slots.

        Args:
            o: The matrices, of shape `(..., inputs, outputs)`.
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
