"""SCION."""

import math
from collections.abc import Sequence
from functools import partial

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
    Values,
    around,
)
from keras_optlab.core.axes import AxesLike, LayerAxes, Matrices
from keras_optlab.core.matrix_arguments import (
    PerHead,
    WhichMatrices,
    chosen_matrices,
    is_embedding,
)
from keras_optlab.core.newton_schulz import (
    check_coefficients,
    newton_schulz,
    per_iteration,
)
from keras_optlab.core.numerics import ema, mean
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine import Optimizer

NORMS = "spectral", "sign", "rms"


def norm_of(weight: Weight) -> str:
    """Return the norm in which a weight's steps have the same length."""
    values, found = weight.values, weight.matrices
    if values.norm == "sign" and weight.shape:
        return "sign"
    if values.norm == "rms" or found is None:
        return "rms"
    if values.norm == "spectral":
        return "spectral"
    if found.role == "head":
        return "sign"
    embedding = values.axes == "layer" and is_embedding(weight)
    return "rms" if embedding or is_long(found, values) else "spectral"


def is_long(found: Matrices, values: Values) -> bool:
    """Return whether the shorter side of matrices exceeds `max_size`."""
    return min(found.shape[-2:]) > values.max_size


def momentum_in(norm: str, weight: Weight) -> Shape | None:
    """Return the shape of the momentum of weights with steps in this norm.

    A weight that is no matrix is a vector. For the spectral norm, the rows of a matrix
    are positions of a kernel by inputs.
    """
    found = weight.matrices
    if norm_of(weight) != norm:
        return None
    if found is None:
        return (math.prod(weight.shape),)
    if norm != "spectral":
        return found.shape
    inputs = found.rows // max(found.positions, 1)
    return (*found.shape[:-2], found.positions, inputs, found.columns)


class SCION(Optimizer, family="matrix"):
    r"""SCION: steps of fixed length along momentum, in a norm for each kind of weight.

    $$m_t = \beta m_{t-1} + (1 - \beta)\, g_t, \qquad
      \theta_t = \theta_{t-1} - \eta \rho\, d(m_t)$$

    where $d(m)$ is the steepest direction of length 1 in the norm of a weight,

    | `norm` | of | $d(m)$ |
    |---|---|---|
    | `"spectral"` | kernels | $\sqrt{\text{out} / \text{in}}\, \operatorname{NS}(m)$ |
    | `"sign"` | the last layer | $\operatorname{sign}(m) / \text{in}$ |
    | `"rms"` | biases, embeddings | $m$ over its root mean square |

    with Newton-Schulz iterations $\operatorname{NS}$ as in `Muon`, on the matrices that
    layers multiply by. The last layer is the one whose outputs are the model's. The
    root mean square of an embedding is that of each row. For a convolution, "in" is the
    number of channels, and $d$ is divided by the number of positions of the kernel, 9
    if it is 3 by 3. All weights use one rule and one slot, and a rate found on a narrow
    network fits a wide one.

    `weight_decay=1.0` is the authors' constrained form, the Frank-Wolfe algorithm: it
    keeps the norm of weights below $\rho$. Without it, as here and in
    pytorch_optimizer and heavyball by default, it is the unconstrained one.

    Args:
        learning_rate: $\eta$ >= 0. pytorch_optimizer has 0.001 with $\rho = 1$, which
            changes the weights of a small network hardly at all.
        momentum: $\beta$ in [0, 1), one minus the authors' `momentum`.
        scale: $\rho$ > 0, the length of steps; set it by `Group` too. The authors have
            50 in the blocks of a transformer and 3000 in its last layer.
        norm: One of those above, or `"auto"` for the one in the table. Set it in a
            `Group`, also for an embedding that is used as the last layer too, for
            which the authors have `"sign"`. Vectors have no spectral norm and take
            `"rms"` steps.
        ns_steps: Number of Newton-Schulz iterations >= 1.
        coefficients: As in `Muon`.
        gram: As in `Muon`.
        max_size: A matrix whose shorter side is longer than this takes `"rms"` steps.
        matrices: `"layers"` as above, or `"keras"`: only weights of two axes.
        axes: As in `Muon`; `None`: `"rms"` steps.
        per_head: As in `Muon`.
        **kwargs: Arguments of every `Optimizer`.

    Source: Pethick et al., 2025, arXiv:2502.07529, Algorithms 1 and 2, Table 4. Kernels
    are (in, out) here, where they are (out, in) there. The authors also initialize
    weights in these norms and multiply activations by $\sqrt 2$.

    >>> from keras_optlab import Group
    >>> constrained = SCION(2**-12, scale=50, weight_decay=1.0,
    ...     groups=[Group("head", scale=3000)])
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    momentum: FloatOrSchedule = Beta(default=0.9, doc="momentum β")
    scale: FloatOrSchedule = Hyper(default=1.0, doc="length ρ of steps")
    norm: str = Choice(
        default="auto",
        choices=("auto", *NORMS),
        by_group=True,
        doc="norm of steps",
    )
    ns_steps: int = Hyper(
        default=5, within=">= 1", integer=True, adjustable=False, doc="NS iterations"
    )
    coefficients: str | Sequence[Sequence[float]] = Option(
        default="jordan", check=check_coefficients, doc="coefficients of NS"
    )
    gram: bool = Flag(default=False, doc="iterate on Gram matrices")
    max_size: int = Hyper(
        default=8192, within=">= 1", integer=True, adjustable=False, doc="longest side"
    )
    matrices: str = WhichMatrices()
    axes: AxesLike = LayerAxes()
    per_head: bool = PerHead()

    elementwise = False
    sees_matrices = True
    may_fail = True
    slots = tuple(
        Slot(f"m_{norm}", shape=partial(momentum_in, norm), short=True)
        for norm in NORMS
    )
    paper = Paper(
        "Training deep learning models with norm-constrained LMOs",
        "Pethick et al.",
        2025,
        "2502.07529",
    )
    tuning = Tuning(
        around(0.1),
        others={
            "momentum": Choices((0.8, 0.9, 0.95)),
            "weight_decay": LogUniform(0.0003, 0.03),
        },
        use_when="The rate is tuned on a narrow network and used on a wide one.",
        not_when="There is no time to tune `scale` for the last layer on its own.",
    )

    def as_matrices(self, weight):
        return chosen_matrices(weight)

    def is_too_large(self, weight):
        found = chosen_matrices(weight)
        large = found is not None and is_long(found, weight.values)
        return large and weight.values.norm == "auto"

    def update(self, w, g, s, h, t):
        norm = next(norm for norm in NORMS if f"m_{norm}" in s)
        old = getattr(s, f"m_{norm}")
        m = ema(old, ops.reshape(g, old.shape), h.momentum)
        u = ops.reshape(getattr(self, norm)(m, h), w.shape)
        return -h.learning_rate * h.scale * u, s.next(**{f"m_{norm}": m})

    def spectral(self, m, h):
        """Return the step of length 1 in the norm from RMS to RMS."""
        *batch, positions, inputs, outputs = m.shape
        x = ops.reshape(m, (*batch, positions * inputs, outputs))
        o = newton_schulz(x, per_iteration(h.coefficients, h.ns_steps), h.gram)
        return math.sqrt(outputs / max(inputs, 1)) / max(positions, 1) * o

    def sign(self, m, h):
        """Return the step of length 1 in the norm from RMS to the largest entry."""
        inputs = m.shape[-2] if len(m.shape) > 1 else 1
        return ops.sign(m) / max(inputs, 1)

    def rms(self, m, h):
        """Return the step with a root mean square of 1 in each row."""
        return m / (ops.sqrt(mean(ops.square(m), -1, keepdims=True)) + 1e-8)
