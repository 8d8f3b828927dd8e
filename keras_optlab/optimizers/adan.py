"""Adan."""

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
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.engine import Optimizer


class Adan(Optimizer, family="adaptive"):
    r"""Adan: Adam with Nesterov momentum from a moving average of gradient differences.

    With $d_t = g_t - g_{t-1}$, and $d_1 = 0$,

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) d_t, \qquad
      n_t = \beta_3 n_{t-1} + (1 - \beta_3) (g_t + \beta_2 d_t)^2,$$
    $$\theta_t = \frac{1}{1 + \eta \lambda} \Bigl[\theta_{t-1} - \eta\,
      \frac{\hat m_t + \beta_2 \hat v_t}{\sqrt{\hat n_t} + \epsilon}\Bigr],
      \qquad \hat x_t = x_t / (1 - \beta^t)$$

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1). Each beta is the weight of the past, as in the
            authors' code; the paper's betas are 1 minus these.
        beta_2: $\beta_2$ in [0, 1).
        beta_3: $\beta_3$ in [0, 1).
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`; `weight_decay` is $\lambda$.

    Source: Xie et al., 2022, arXiv:2208.06677, Algorithm 1. optax 0.2.8 has
    $1 - \beta_2$ in place of $\beta_2$, which is a different method; adan-pytorch 0.1
    does not move at the first step.

    >>> optimizer = Adan(1e-3, weight_decay=0.02)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.98, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.92, doc="decay β₂ of the differences")
    beta_3: FloatOrSchedule = Beta(default=0.99, doc="second-moment decay rate β₃")
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")

    decays_in_rule = True
    slots = (Slot("m"), Slot("v"), Slot("n", non_negative=True), Slot("g"))
    paper = Paper(
        "Adan: Adaptive Nesterov momentum algorithm for faster optimizing deep models",
        "Xie et al.",
        2022,
        "2208.06677",
    )
    tuning = Tuning(
        around(0.01),
        others={"weight_decay": LogUniform(0.003, 0.3)},
        use_when="Training of a CNN or transformer is long, with memory to spare.",
        not_when="Memory is short: its four slots are twice AdamW's.",
    )

    def prepare(self, h, t, z):
        bias_1, bias_2, bias_3 = (
            one_minus_power(beta, t) for beta in (h.beta_1, h.beta_2, h.beta_3)
        )
        rate = h.learning_rate * ops.sqrt(bias_3)
        return h.extend(
            rate_m=rate / bias_1,
            rate_v=rate * h.beta_2.value / bias_2,
            epsilon_t=h.epsilon * ops.sqrt(bias_3),
        ), z

    def update(self, w, g, s, h, t):
        d = ops.where(t > 1, g - s.g, 0.0)
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, d, h.beta_2)
        n = ema(s.n, ops.square(g + h.beta_2 * d), h.beta_3)
        u = -(h.rate_m * m + h.rate_v * v) / (ops.sqrt(n) + h.epsilon_t)
        if h.weight_decay is not None:
            decay = h.learning_rate * h.weight_decay
            u = (u - decay * w) / (1 + decay)
        return u, s.next(m=m, v=v, n=n, g=g)
