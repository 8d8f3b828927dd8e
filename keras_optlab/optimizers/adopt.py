"""ADOPT."""

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
from keras_optlab.core.numerics import ema, maximum, minimum
from keras_optlab.engine import Optimizer


class ADOPT(Optimizer, family="adaptive"):
    r"""ADOPT: Adam that normalizes by the previous second moment, before momentum.

    The first step only sets $v_1 = g_1^2$; then

    $$u_t = \operatorname{clip}\Bigl(\frac{g_t}{\max(\sqrt{v_{t-1}}, \epsilon)},
      \pm (t - 1)^{1/4}\Bigr), \qquad
      m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, u_t,$$
    $$\theta_t = \theta_{t-1} - \eta\, m_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2$$

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ > 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Taniguchi et al., 2024, arXiv:2411.02853, Algorithm 2, whose step 1 is
    step 2 here. pytorch_optimizer 4.1 clips to the next step's bound.

    >>> optimizer = ADOPT(1e-3)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.9999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-6, doc="least denominator ε")

    slots = (Slot("m"), Slot("v", non_negative=True))
    paper = Paper(
        "ADOPT: Modified Adam can converge with any β2 with the optimal rate",
        "Taniguchi et al.",
        2024,
        "2411.02853",
    )
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "beta_2": Choices((0.99, 0.999, 0.9999)),
        },
        use_when="Adam does not converge at your `beta_2`: this rule does at any.",
        not_when="The first batch is not typical: it sets the scale of early steps.",
    )

    def prepare(self, h, t, z):
        return h.extend(bound=ops.sqrt(ops.sqrt(t - 1))), z

    def update(self, w, g, s, h, t):
        u = g / maximum(ops.sqrt(s.v), h.epsilon)
        m = ema(s.m, minimum(maximum(u, -h.bound), h.bound), h.beta_1)
        squared = ops.square(g)
        v = ops.where(t > 1, ema(s.v, squared, h.beta_2), squared)
        return -h.learning_rate * m, s.next(m=m, v=v)
