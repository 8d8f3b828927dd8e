"""Adam-atan2."""

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
from keras_optlab.core.numerics import arctan2, ema, one_minus_power
from keras_optlab.engine import Optimizer


class AdamAtan2(Optimizer, family="adaptive"):
    r"""Adam-atan2: Adam with an arctangent in place of the division, without epsilon.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,$$
    $$\theta_t = \theta_{t-1}
      - \eta\, a \operatorname{atan2}\bigl(\hat m_t,\, b \sqrt{\hat v_t}\bigr),
      \qquad \hat x_t = x_t / (1 - \beta^t)$$

    A step does not change if all gradients are multiplied by a number, however small
    they are, and is at most $\eta a \pi / 2$. With $b = 1$ and $a = 4 / \pi \approx
    1.27$ it is Adam's where $\hat m_t = \sqrt{\hat v_t}$.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        a: $a$ > 0, the factor on the angle.
        b: $b$ > 0, the factor in the angle; a large $a = b$ is nearly Adam.
        **kwargs: Arguments of every `Optimizer`.

    Source: Everett et al., 2024, arXiv:2407.05872. The rate and betas are Keras' for
    Adam; $a$ and $b$ are those of adam-atan2-pytorch, where $\eta$ = 1e-4 and
    $\beta_2$ = 0.99. HeavyBall's division by atan2 has $a = b = 16$.

    >>> optimizer = AdamAtan2(1e-3, beta_2=0.99, weight_decay=0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    a: FloatOrSchedule = Hyper(default=1.27, doc="factor a on the angle")
    b: FloatOrSchedule = Hyper(default=1.0, doc="factor b in the angle")

    slots = (Slot("m"), Slot("v", non_negative=True))
    paper = Paper(
        "Scaling exponents across parameterizations and optimizers",
        "Everett et al.",
        2024,
        "2407.05872",
    )
    tuning = Tuning(
        around(3e-3),
        others={"weight_decay": LogUniform(0.003, 0.3)},
        use_when="Gradients may be so small that Adam's epsilon would decide the step.",
        not_when="Adam's epsilon is tuned, and large on purpose: here is none.",
    )

    def prepare(self, h, t, z):
        bias_1, bias_2 = one_minus_power(h.beta_1, t), one_minus_power(h.beta_2, t)
        return h.extend(
            rate=h.learning_rate * h.a,
            b_t=h.b * bias_1 / ops.sqrt(bias_2),  # a common factor changes no angle
        ), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        angle = arctan2(m, h.b_t * ops.sqrt(v))
        return -h.rate * angle, s.next(m=m, v=v)
