"""AdEMAMix."""

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


class AdEMAMix(Optimizer, family="adaptive"):
    r"""AdEMAMix: Adam with a second, much slower moving average of the gradient.

    $$m_t^{(i)} = \beta_i m_{t-1}^{(i)} + (1 - \beta_i) g_t \;(i = 1, 3), \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,$$
    $$\theta_t = \theta_{t-1} - \eta\, \frac{\hat m_t^{(1)} + \alpha\, m_t^{(3)}}
      {\sqrt{\hat v_t} + \epsilon}, \qquad \hat x_t = x_t / (1 - \beta^t)$$

    Over the first $T$ updates $\alpha$ rises linearly from 0, and $\beta_3$ rises from
    $\beta_1$ such that the half-life of the slow average grows linearly.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in (0, 1).
        beta_2: $\beta_2$ in [0, 1).
        beta_3: $\beta_3$ in (0, 1), of the slow average.
        alpha: $\alpha$ >= 0, the weight of the slow average: 4 to 10 in the paper.
        warmup_steps: $T$ >= 0 updates, all updates in the paper; 0 is no warm-up.
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Pagliardini, Ablin and Grangier, 2024, arXiv:2409.03137, Algorithm 1 and the
    schedules of its section 3. $\alpha$ is 5 as in optax; the authors' code has 2.

    >>> optimizer = AdEMAMix(1e-3, warmup_steps=10_000)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(
        default=0.9, within="(0, 1)", doc="first-moment decay rate β₁"
    )
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    beta_3: FloatOrSchedule = Beta(
        default=0.9999, within="(0, 1)", doc="decay β₃ of the slow average"
    )
    alpha: FloatOrSchedule = Hyper(
        default=5.0, within=">= 0", doc="weight α of the slow average"
    )
    warmup_steps: int = Hyper(
        default=0, within=">= 0", doc="warm-up updates T", integer=True
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")

    slots = (Slot("m"), Slot("v", non_negative=True), Slot("slow"))
    paper = Paper(
        "The AdEMAMix optimizer: Better, faster, older",
        "Pagliardini, Ablin and Grangier",
        2024,
        "2409.03137",
    )
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "alpha": Choices((2.0, 5.0, 8.0)),
            "beta_3": Choices((0.99, 0.999, 0.9999)),
        },
        use_when="Training is long, and gradients from long ago still help.",
        not_when="Training is short: the slow average has no time to become useful.",
    )

    def prepare(self, h, t, z):
        share = ops.where(t < h.warmup_steps, t / ops.maximum(h.warmup_steps, 1), 1.0)
        log_1, log_3 = ops.log1p(-h.beta_1.complement), ops.log1p(-h.beta_3.complement)
        log_t = log_1 * log_3 / ((1 - share) * log_3 + share * log_1)
        bias_1, bias_2 = one_minus_power(h.beta_1, t), one_minus_power(h.beta_2, t)
        rate = h.learning_rate * ops.sqrt(bias_2)
        return h.extend(
            beta_t=BetaTensor(-ops.expm1(log_t)),
            rate_m=rate / bias_1,
            rate_slow=rate * h.alpha * share,
            epsilon_t=h.epsilon * ops.sqrt(bias_2),
        ), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        slow = ema(s.slow, g, h.beta_t)
        v = ema(s.v, ops.square(g), h.beta_2)
        u = -(h.rate_m * m + h.rate_slow * slow) / (ops.sqrt(v) + h.epsilon_t)
        return u, s.next(m=m, v=v, slow=slow)
