"""Muon."""

import re
from collections.abc import Sequence

from keras import ops

from keras_optlab.core import (
    Beta,
    Choice,
    Choices,
    Flag,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Option,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.axes import AxesLike, LayerAxes, Matrices, last_is_output
from keras_optlab.core.errors import shown
from keras_optlab.core.matrices import newton_schulz, recompute_if_due, update_scale
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.core.periods import is_due
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine import Optimizer


def of_muon(weight: Weight) -> Matrices | None:
    """Return the matrices of a weight that takes Muon's step, if it is small enough."""
    values, found = weight.values, weight.matrices
    if values.adamw or any(re.search(p, weight.path) for p in values.exclude_layers):
        return None
    if values.axes == "layer" and values.matrices == "keras":
        found = last_is_output(weight.shape) if len(weight.shape) == 2 else None
    if found is None:
        return None
    embedding = found.role == "embedding" or "embedding" in weight.path.lower()
    if values.axes == "layer" and values.exclude_embeddings and embedding:
        return None
    if values.axes == "layer" and values.matrices == "layers":
        if found.role == "head" or min(found.shape[-2:]) == 1:
            return None
        return found.per_head() if values.per_head else found
    return found


def of_adamw(weight: Weight) -> Shape | None:
    """Return the shape of the second moment, which only AdamW keeps."""
    return weight.shape if weight.matrices is None else None


def of_period(weight: Weight) -> Shape | None:
    """Return the shape of the direction, which is stored if `period` > 1."""
    again = weight.values.period > 1 and weight.matrices is not None
    return weight.seen if again else None


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


class Muon(Optimizer, family="matrix"):
    r"""Muon: momentum, orthogonalized by Newton-Schulz iterations; AdamW for the rest.

    For matrices, where Newton-Schulz $\operatorname{NS}$ brings singular values near 1,

    $$m_t = \mu m_{t-1} + g_t, \qquad
      o_t = \operatorname{NS}(g_t + \mu m_t), \qquad
      \theta_t = \theta_{t-1} - \eta \lambda \theta_{t-1} - \eta\, c\, o_t$$

    and $c = 0.2 \sqrt{\max(\text{in}, \text{out})}$, which makes an update about as
    long as AdamW's. Vectors, scalars, embeddings and what `exclude_layers` or
    `Group("head", adamw=True)` selects take `AdamW`'s step.

    `matrices="layers"` is for most models: it sees the kernels of attention,
    convolutions and recurrent layers as the matrices that these layers multiply by,
    and gives AdamW's step to the layer whose outputs are the model's. By default, as in
    Keras, such kernels take AdamW's step and the last layer does not: select it.
    `describe` shows what each weight is.

    An iteration on $n \times k$ weights, $n \ge k$, takes $4 n k^2 + 2 k^3$ operations,
    far more than the rest of a step at small batches. `period` reuses a direction for
    several updates, and `max_size` leaves out the largest matrices.

    Positional arguments have the order of Keras' class.

    Args:
        learning_rate: $\eta$ >= 0.
        weight_decay: $\lambda$ >= 0 for matrices.
        momentum: $\mu$ in [0, 1).
        nesterov: Whether momentum is Nesterov's; else $o_t = \operatorname{NS}(m_t)$.
        ns_steps: Number of Newton-Schulz iterations >= 1.
        scaling: `"moonlight"` as above (Liu et al.), or `"jordan"`,
            $c = \sqrt{\max(1, \text{out} / \text{in})}$, for rates of about 0.02.
        rms_rate: The factor 0.2 in $c$, > 0; with `None`, as in Keras, $c = 1$.
        period: Number of updates >= 1 that use the same $o_t$.
        max_size: A matrix whose shorter side is longer than this takes AdamW's step.
        matrices: `"keras"`: weights of two axes, as in Keras; `"layers"`: as each
            layer uses its weights, without the layer whose outputs are the model's.
        axes: With `"layer"`, `matrices` decides. In a `Group`: `(inputs, outputs)`,
            each an axis or a tuple of axes, for weights where it decides wrongly;
            other axes count matrices. `None`: AdamW's step.
        per_head: Whether each head of an attention is a matrix of its own.
        exclude_layers: Regular expressions; weights with a match in their path take
            AdamW's step.
        exclude_embeddings: Whether embeddings take AdamW's step.
        adamw: Whether weights take AdamW's step; set it in a `Group`.
        adam_lr_ratio: Factor >= 0 on AdamW's rate, but not on its weight decay.
        adam_weight_decay: AdamW's weight decay >= 0.
        adam_beta_1: $\beta_1$ in [0, 1).
        adam_beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0 of AdamW, placed as `"hat"` in `Adam`.
        muon_a: Coefficient of $X$ in an iteration.
        muon_b: Coefficient of $A X$, with $A = X X^\top$.
        muon_c: Coefficient of $A^2 X$.
        **kwargs: Arguments of every `Optimizer`.

    Source: Jordan et al. (2024); Liu et al., 2025, arXiv:2502.16982, for the scaling.
    Kernels are (in, out) here, where the authors' and torch's are (out, in).

    >>> from keras_optlab import Group
    >>> optimizer = Muon(1e-3, groups=[Group("head", adamw=True)])
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
    matrices: str = Choice(
        default="keras", choices=("keras", "layers"), doc="which weights are matrices"
    )
    axes: AxesLike = LayerAxes()
    per_head: bool = Flag(default=False, by_group=True, doc="a matrix for each head")
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
    muon_a: FloatOrSchedule = Hyper(default=3.4445, doc="coefficient a")
    muon_b: FloatOrSchedule = Hyper(default=-4.775, within="< 0", doc="coefficient b")
    muon_c: FloatOrSchedule = Hyper(default=2.0315, doc="coefficient c")

    elementwise = False
    sees_matrices = True
    may_fail = True
    decays_in_rule = True
    slots = (
        Slot("m"),
        Slot("v", shape=of_adamw),
        Slot("direction", shape=of_period),
    )
    paper = Paper(
        "Muon: An optimizer for hidden layers in neural networks", "Jordan et al.", 2024
    )
    tuning = Tuning(
        around(1e-2),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "momentum": Choices((0.9, 0.95)),
            "matrices": Choices(("keras", "layers")),
        },
        use_when="Most weights are in hidden matrices, and few updates should do.",
        not_when="Batches are small on a CPU: Newton-Schulz outweighs the gradient.",
    )
    keras_twin = "Muon"

    def as_matrices(self, weight):
        return None if self.is_too_large(weight) else of_muon(weight)

    def is_too_large(self, weight):
        found = of_muon(weight)
        return found is not None and min(found.shape[-2:]) > weight.values.max_size

    def prepare(self, h, t, z):
        bias_1 = one_minus_power(h.adam_beta_1, t)
        bias_2 = one_minus_power(h.adam_beta_2, t)
        adam_rate = h.learning_rate * h.adam_lr_ratio * ops.sqrt(bias_2) / bias_1
        return h.extend(adam_rate=adam_rate), z

    def update(self, w, g, s, h, t):
        if "v" in s:
            return self.adamw_step(w, g, s, h)
        m = h.momentum * s.m + g
        s = s.next(m=m)
        x = g + h.momentum * m if h.nesterov else m

        def orthogonal():
            return newton_schulz(x, h.ns_steps, h.muon_a, h.muon_b, h.muon_c)

        if "direction" in s:
            o = recompute_if_due(is_due(h.count, h.period), orthogonal, s.direction)
            s = s.next(direction=o)
        else:
            o = orthogonal()
        length = update_scale(w.shape[-2:], h.scaling, h.rms_rate)
        u = -h.learning_rate * length * o
        if h.weight_decay is not None:
            u = u - h.learning_rate * h.weight_decay * w
        return u, s

    def adamw_step(self, w, g, s, h):
        """Return AdamW's update and the next slots."""
        m = ema(s.m, g, h.adam_beta_1)
        v = ema(s.v, ops.square(g), h.adam_beta_2)
        u = -h.adam_rate * m / (ops.sqrt(v) + h.epsilon)
        if h.adam_weight_decay is not None:
            u = u - h.learning_rate * h.adam_weight_decay * w
        return u, s.next(m=m, v=v)
