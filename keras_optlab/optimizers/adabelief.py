"""AdaBelief."""

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


class AdaBelief(Optimizer, family="adaptive"):
    r"""AdaBelief: Adam with the second moment taken around the running mean.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      s_t = \beta_2 s_{t-1} + (1 - \beta_2) (g_t - m_t)^2 + \epsilon,$$
    $$\hat m_t = m_t / (1 - \beta_1^t), \qquad \hat s_t = s_t / (1 - \beta_2^t), \qquad
      \theta_t = \theta_{t-1} - \eta\, \hat m_t / (\sqrt{\hat s_t} + \epsilon)$$

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0, added to $s_t$ at every step, where it accumulates to
            $\epsilon / (1 - \beta_2)$. The default only matters where gradients deviate
            from $m_t$ by less than about 1e-6.
        **kwargs: Arguments of every `Optimizer`.

    Source: Zhuang et al., 2020, arXiv:2010.07468, Algorithm 2. By default, the
    authors' code and TensorFlow Addons rectify the step as `RAdam` does. The paper,
    optax and this class do not.

    >>> optimizer = AdaBelief(1e-3, epsilon=1e-8)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-16, within=">= 0", doc="stabilizer ε")

    slots = (Slot("m"), Slot("s", non_negative=True))
    paper = Paper(
        "AdaBelief optimizer: Adapting stepsizes by the belief in observed gradients",
        "Zhuang et al.",
        2020,
        "2010.07468",
    )
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "epsilon": LogUniform(1e-16, 1e-8),
        },
        use_when="Gradients agree from batch to batch: it then steps longer than Adam.",
        not_when="Gradients are tiny: `epsilon` decides the steps and needs tuning.",
    )

    def prepare(self, h, t, z):
        rate = h.learning_rate / one_minus_power(h.beta_1, t)
        return h.extend(rate=rate, bias_2=one_minus_power(h.beta_2, t)), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        variance = ema(s.s, ops.square(g - m), h.beta_2) + h.epsilon
        u = -h.rate * m / (ops.sqrt(variance / h.bias_2) + h.epsilon)
        return u, s.next(m=m, s=variance)
