"""Simplified AdEMAMix."""

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
from keras_optlab.core.numerics import BetaTensor, ema, one_minus_power
from keras_optlab.engine import Optimizer


class SimplifiedAdEMAMix(Optimizer, family="adaptive"):
    r"""Simplified AdEMAMix: AdEMAMix with one momentum, a sum, plus the gradient.

    $$m_t = \beta_{1,t} m_{t-1} + g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,$$
    $$\theta_t = \theta_{t-1} - \eta\,
      \frac{m_t + \alpha g_t}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}$$

    Over the first $T$ updates $\beta_{1,t}$ rises from $\beta_{\min}$ to $\beta_1$ such
    that the half-life of $m$ grows linearly; after them, or if $T = 0$, it is
    $\beta_1$. As $m$ is a sum, not an average, and has no bias correction, the rate is
    smaller than Adam's: the authors advise
    $\eta = \eta_\text{Adam} \sqrt{(1 - \beta_{\min})(1 - \beta_1)}$.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in (0, 1); smaller for larger batches.
        beta_2: $\beta_2$ in [0, 1).
        alpha: $\alpha$ >= 0, the weight of the gradient. Best values fall with the
            batch: near 0 at 1 million tokens, about 100 at 32 thousand (authors).
        warmup_steps: $T$ >= 0 updates; the authors use the whole training.
        min_beta_1: $\beta_{\min}$ in (0, 1), the first value; Adam's $\beta_1$.
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Morwani, Vyas, Zhang and Kakade, 2025, arXiv:2502.02431, and the authors'
    code for the schedule and the defaults. pytorch_optimizer 4.1 has another rule: $m$
    is an average, and $\sqrt{1 - \beta_2^t}$ divides where it should multiply.

    >>> optimizer = SimplifiedAdEMAMix(1e-4, alpha=1.0, warmup_steps=10_000)
    """

    learning_rate: LearningRateLike = LearningRate(default=1e-4)
    beta_1: FloatOrSchedule = Beta(
        default=0.99, within="(0, 1)", doc="momentum decay rate β₁"
    )
    beta_2: FloatOrSchedule = Beta(default=0.95, doc="second-moment decay rate β₂")
    alpha: FloatOrSchedule = Hyper(
        default=0.0, within=">= 0", doc="weight α of the gradient"
    )
    warmup_steps: int = Hyper(
        default=0, within=">= 0", doc="warm-up updates T", integer=True
    )
    min_beta_1: FloatOrSchedule = Beta(
        default=0.9, within="(0, 1)", doc="first value of β₁"
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")

    slots = (Slot("m"), Slot("v", non_negative=True))
    paper = Paper(
        "Connections between schedule-free optimizers, AdEMAMix, and accelerated SGD "
        "variants",
        "Morwani, Vyas, Zhang and Kakade",
        2025,
        "2502.02431",
    )
    tuning = Tuning(
        around(1e-4),
        others={
            "weight_decay": LogUniform(0.1, 10.0),
            "alpha": Choices((0.0, 1.0, 10.0)),
            "beta_1": Choices((0.95, 0.99, 0.999)),
        },
        use_when="AdEMAMix helps, and memory for its third slot is missing.",
        not_when="There are no trials for `alpha`, whose best value follows the batch.",
    )

    def prepare(self, h, t, z):
        share = ops.where(t < h.warmup_steps, t / ops.maximum(h.warmup_steps, 1), 1.0)
        first, last = (ops.log1p(-b.complement) for b in (h.min_beta_1, h.beta_1))
        log_t = first * last / ((1 - share) * last + share * first)
        root_2 = ops.sqrt(one_minus_power(h.beta_2, t))
        return h.extend(
            beta_t=BetaTensor(-ops.expm1(log_t)),
            rate=h.learning_rate * root_2,
            epsilon_t=h.epsilon * root_2,
        ), z

    def update(self, w, g, s, h, t):
        m = h.beta_t * s.m + g
        v = ema(s.v, ops.square(g), h.beta_2)
        u = -h.rate * (m + h.alpha * g) / (ops.sqrt(v) + h.epsilon_t)
        return u, s.next(m=m, v=v)
