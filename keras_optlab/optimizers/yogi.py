"""Yogi."""

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


class Yogi(Optimizer, family="adaptive"):
    r"""Yogi: Adam with an additive update of the second moment, so it falls slowly.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      v_t = v_{t-1} - (1 - \beta_2) \operatorname{sign}(v_{t-1} - g_t^2)\, g_t^2,$$
    $$\theta_t = \theta_{t-1} - \eta\, \frac{m_t / (1 - \beta_1^t)}
      {\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}$$

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0.
        initial_accumulator_value: $v_0$ >= 0; the paper computes it from a first batch.
        **kwargs: Arguments of every `Optimizer`.

    Source: Zaheer et al. (2018), Algorithm 2, which has no bias correction; optax has
    it, as here, and TensorFlow Addons too, but adds $\epsilon$ before it. $m_0$ is 0 as
    in TensorFlow Addons; optax starts $m$ at $v_0$ too.

    >>> optimizer = Yogi(0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-3, within=">= 0", doc="stabilizer ε")
    initial_accumulator_value: float = Hyper(
        default=1e-6, within=">= 0", doc="initial second moment v₀", adjustable=False
    )

    slots = (Slot("m"), Slot("v", init="initial_accumulator_value", non_negative=True))
    paper = Paper("Adaptive methods for nonconvex optimization", "Zaheer et al.", 2018)
    tuning = Tuning(
        around(0.01),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "epsilon": LogUniform(1e-5, 1e-2),
        },
        use_when="Large gradients are rare: they are not soon forgotten.",
        not_when="The first gradients are the largest: steps stay short for long.",
    )

    def prepare(self, h, t, z):
        rate = h.learning_rate / one_minus_power(h.beta_1, t)
        return h.extend(rate=rate, bias_2=one_minus_power(h.beta_2, t)), z

    def update(self, w, g, s, h, t):
        squared = ops.square(g)
        m = ema(s.m, g, h.beta_1)
        v = s.v - (1 - h.beta_2) * ops.sign(s.v - squared) * squared
        u = -h.rate * m / (ops.sqrt(v / h.bias_2) + h.epsilon)
        return u, s.next(m=m, v=v)
