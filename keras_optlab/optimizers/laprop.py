"""LaProp."""

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
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.engine import Optimizer


class LaProp(Optimizer, family="adaptive"):
    r"""LaProp: Adam that normalizes by the current second moment, before momentum.

    $$v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad
      m_t = \beta_1 m_{t-1} + (1 - \beta_1)
      \frac{g_t}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon},$$
    $$\theta_t = \theta_{t-1} - \eta\, m_t / (1 - \beta_1^t)$$

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1), the paper's $\mu$.
        beta_2: $\beta_2$ in [0, 1), the paper's $\nu$.
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Ziyin, Wang and Ueda, 2020, arXiv:2002.04839, Algorithm 1. The authors' code
    multiplies the rate into the momentum, which differs once the rate changes.

    >>> optimizer = LaProp(4e-4)
    """

    learning_rate: LearningRateLike = LearningRate(default=4e-4)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-15, within=">= 0", doc="stabilizer ε")

    slots = (Slot("m"), Slot("v", non_negative=True))
    paper = Paper(
        "LaProp: Separating momentum and adaptivity in Adam",
        "Ziyin, Wang and Ueda",
        2020,
        "2002.04839",
    )
    tuning = Tuning(
        around(4e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "beta_2": Choices((0.95, 0.99, 0.999)),
        },
        use_when="Gradients are noisy and Adam unsteady, as with a small `beta_2`.",
        not_when="Adam trains well: they then differ little, and Adam is better known.",
    )

    def prepare(self, h, t, z):
        return h.extend(
            rate=h.learning_rate / one_minus_power(h.beta_1, t),
            bias_2=one_minus_power(h.beta_2, t),
        ), z

    def update(self, w, g, s, h, t):
        v = ema(s.v, ops.square(g), h.beta_2)
        m = ema(s.m, g / (ops.sqrt(v / h.bias_2) + h.epsilon), h.beta_1)
        return -h.rate * m, s.next(m=m, v=v)
