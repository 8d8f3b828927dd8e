"""GaLore."""

from keras import ops

from keras_optlab.core import (
    Beta,
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
from keras_optlab.core.matrices import recompute_if_due, transposed
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.core.periods import is_due
from keras_optlab.core.slots import Shape, Weight
from keras_optlab.engine import Optimizer


def basis(weight: Weight) -> Shape | None:
    """Return the shape of the projection of a matrix."""
    if weight.matrices is None:
        return None
    short = min(weight.seen[-2:])
    return (*weight.seen[:-2], short, min(weight.values.rank, short))


def projected(weight: Weight) -> Shape:
    """Return the shape of a weight's moments, projected for a matrix."""
    found = basis(weight)
    return (*found[:-2], max(weight.seen[-2:]), found[-1]) if found else weight.shape


class GaLore(Optimizer, family="memory-efficient"):
    r"""GaLore: Adam on the gradient projected onto its leading singular vectors.

    For a gradient with at least as many rows as columns (or else its transpose), $P$
    becomes its first $r$ right singular vectors every $T$ updates; then

    $$r_t = g_t P, \qquad
      m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, r_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, r_t^2,$$
    $$\theta_t = \theta_{t-1} - \eta\, \alpha\,
      \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\,
      \frac{m_t}{\sqrt{v_t} + \epsilon} P^\top$$

    Vectors and scalars take Adam's step, without $\alpha$. Other weights are matrices
    of inputs by outputs, as their layers use them.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        rank: $r$ >= 1, limited to the shorter side of each matrix.
        period: $T$ >= 1 updates.
        scale: $\alpha$ > 0.
        epsilon: $\epsilon$ >= 0, placed as `"hat"` in `Adam`.
        axes: In a `Group`: `(inputs, outputs)`, each an axis or a tuple of axes, for
            weights whose layer does not tell them; other axes count matrices. `None`:
            the step of vectors.
        **kwargs: Arguments of every `Optimizer`.

    Source: Zhao et al., 2024, arXiv:2403.03507, Algorithm 2. As in the authors'
    code, the moments are kept when $P$ changes. optax projects the other side.

    >>> optimizer = GaLore(0.01, rank=32)
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
    scale: FloatOrSchedule = Hyper(default=0.25, doc="factor α on matrices")
    epsilon: FloatOrSchedule = Hyper(default=1e-6, within=">= 0", doc="stabilizer ε")
    axes: AxesLike = LayerAxes()

    elementwise = False
    sees_matrices = True
    may_fail = True
    slots = (
        Slot("basis", shape=basis),
        Slot("m", shape=projected, short=True),
        Slot("v", shape=projected, short=True),
    )
    paper = Paper(
        "GaLore: Memory-efficient LLM training by gradient low-rank projection",
        "Zhao et al.",
        2024,
        "2403.03507",
    )
    tuning = Tuning(
        around(0.02),
        others={
            "rank": LogUniform(8, 256, integer=True),
            "scale": LogUniform(0.1, 1.0),
        },
        use_when="A large model is pretrained, and Adam's moments do not fit.",
        not_when="Matrices are small: the projection saves little and costs an SVD.",
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
        due = is_due(h.count, h.period)
        p = recompute_if_due(
            due, lambda: leading_vectors(long, s.basis.shape[-1]), s.basis
        )
        s = self.averaged(long @ p, s.next(basis=p), h)
        back = (s.m / (ops.sqrt(s.v) + h.epsilon)) @ transposed(p)
        back = transposed(back) if wide else back
        return -h.alpha_t * h.scale * back, s

    def averaged(self, g, s, h):
        """Return the slots with updated moments."""
        return s.next(m=ema(s.m, g, h.beta_1), v=ema(s.v, ops.square(g), h.beta_2))


def leading_vectors(matrix, count):
    """Return the first right singular vectors as columns."""
    _, _, v = ops.svd(matrix, full_matrices=False)
    return transposed(v[..., :count, :])
