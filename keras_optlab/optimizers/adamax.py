"""Adamax."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.numerics import ema, maximum, one_minus_power
from keras_optlab.engine import Optimizer


class Adamax(Optimizer, family="adaptive"):
    r"""Adamax: Adam with a decaying maximum of the absolute gradient as denominator.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      u_t = \max(\beta_2 u_{t-1}, |g_t|), \qquad
      \theta_t = \theta_{t-1} - \frac{\eta}{1 - \beta_1^t} \frac{m_t}{u_t + \epsilon}$$

    Args:
        learning_rate: $\eta$ >= 0; 0.001 as in Keras, where paper and torch have 0.002.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0. The paper has none (that is 0); torch and optax add
            it to $|g_t|$, so that it becomes part of $u_t$.
        **kwargs: Arguments of every `Optimizer`.

    Source: Kingma and Ba, 2014, arXiv:1412.6980, Algorithm 2.

    >>> optimizer = Adamax(0.002)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="decay β₂ of the infinity norm")
    epsilon: FloatOrSchedule = Hyper(default=1e-7, within=">= 0", doc="stabilizer ε")

    slots = (Slot("m"), Slot("u", non_negative=True))
    paper = Paper(
        "Adam: A method for stochastic optimization",
        "Kingma and Ba",
        2014,
        "1412.6980",
    )
    tuning = Tuning(
        around(5e-3),
        others={"beta_2": Choices((0.95, 0.99, 0.999))},
        use_when="Gradients are sparse, as of embeddings, and similar in size.",
        not_when="Single gradients are huge: its maximum keeps steps short for long.",
    )
    keras_twin = "Adamax"

    def prepare(self, h, t, z):
        return h.extend(alpha_t=h.learning_rate / one_minus_power(h.beta_1, t)), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        u = maximum(h.beta_2 * s.u, ops.abs(g))
        return -h.alpha_t * m / (u + h.epsilon), s.next(m=m, u=u)
