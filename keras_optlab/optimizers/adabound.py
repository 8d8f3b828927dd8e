"""AdaBound."""

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
from keras_optlab.core.numerics import ema, maximum, minimum, one_minus_power
from keras_optlab.engine import Optimizer


class AdaBound(Optimizer, family="adaptive"):
    r"""AdaBound: Adam with per-weight rates clipped to bounds that converge to SGD's.

    Both bounds converge to $\eta^*$, so training starts as Adam and ends as SGD:

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad
      \eta_t = \eta \sqrt{1 - \beta_2^t} / (1 - \beta_1^t),$$
    $$\theta_t = \theta_{t-1} - \operatorname{clip}\Bigl(
      \frac{\eta_t}{\sqrt{v_t} + \epsilon},\;
      \eta^* \bigl(1 - \tfrac{1}{\gamma t + 1}\bigr),\;
      \eta^* \bigl(1 + \tfrac{1}{\gamma t}\bigr)\Bigr)\, m_t$$

    $\eta^*$ is proportional to $\eta$: `final_learning_rate` times $\eta$, divided by
    the first $\eta$ that was not 0.

    Args:
        learning_rate: $\eta$ >= 0.
        final_learning_rate: $\eta^*$ > 0, the SGD rate at the end.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        gamma: $\gamma$ > 0, convergence speed of the bounds, per update.
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Luo, Xiong, Liu and Sun, 2019, arXiv:1902.09843, Algorithm 2, with the
    bounds and the bias corrections of the authors' code, which also leaves out the
    paper's division of the rate by $\sqrt t$.

    >>> optimizer = AdaBound(1e-3, final_learning_rate=0.1)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    final_learning_rate: FloatOrSchedule = Hyper(default=0.1, doc="final SGD rate η*")
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    gamma: FloatOrSchedule = Hyper(default=0.001, doc="convergence speed γ of bounds")
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")

    slots = (Slot("m"), Slot("v", non_negative=True))
    shared = (Slot("first_rate"),)
    paper = Paper(
        "Adaptive gradient methods with dynamic bound of learning rate",
        "Luo, Xiong, Liu and Sun",
        2019,
        "1902.09843",
    )
    tuning = Tuning(
        around(3e-3),
        schedule="cosine",
        others={
            "final_learning_rate": LogUniform(0.01, 1.0),
            "gamma": LogUniform(1e-4, 1e-2),
        },
        use_when="Training should begin like Adam's and end like SGD's.",
        not_when="Trials are few: its final rate matters as much as the first.",
    )

    def prepare(self, h, t, z):
        first = ops.where(z.first_rate > 0, z.first_rate, h.learning_rate)
        share = ops.where(first > 0, h.learning_rate / first, 0.0)
        final = h.final_learning_rate * share
        bias_1, bias_2 = one_minus_power(h.beta_1, t), one_minus_power(h.beta_2, t)
        return h.extend(
            alpha_t=h.learning_rate * ops.sqrt(bias_2) / bias_1,
            low=final * (1 - 1 / (h.gamma * t + 1)),
            high=final * (1 + 1 / (h.gamma * t)),
        ), z.next(first_rate=first)

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        rate = h.alpha_t / (ops.sqrt(v) + h.epsilon)
        return -minimum(maximum(rate, h.low), h.high) * m, s.next(m=m, v=v)
