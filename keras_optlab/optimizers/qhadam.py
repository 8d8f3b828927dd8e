"""Quasi-hyperbolic Adam."""

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
    Uniform,
    around,
)
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.engine import Optimizer


class QHAdam(Optimizer, family="adaptive"):
    r"""QHAdam: Adam with both moments mixed with the current gradient and its square.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,$$
    $$\hat m_t = m_t / (1 - \beta_1^t), \qquad \hat v_t = v_t / (1 - \beta_2^t),$$
    $$\theta_t = \theta_{t-1} - \eta\,
      \frac{(1 - \nu_1)\, g_t + \nu_1 \hat m_t}
           {\sqrt{(1 - \nu_2)\, g_t^2 + \nu_2 \hat v_t} + \epsilon}$$

    $\nu_1 = \nu_2 = 1$ is Adam with epsilon outside the root.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        nu_1: $\nu_1$ in [0, 1], the weight of the first moment.
        nu_2: $\nu_2$ in [0, 1], the weight of the second moment.
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Ma and Yarats, 2018, arXiv:1810.06801; its rule of thumb for $\nu_1$ and
    $\beta_1$ is the default. The authors' code defaults to Adam, $\nu_1 = 1$.

    >>> optimizer = QHAdam(1e-3, nu_1=0.7, beta_1=0.995)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.995, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    nu_1: FloatOrSchedule = Hyper(
        default=0.7, within="[0, 1]", doc="weight ν₁ of the first moment"
    )
    nu_2: FloatOrSchedule = Hyper(
        default=1.0, within="[0, 1]", doc="weight ν₂ of the second moment"
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")

    slots = (Slot("m"), Slot("v", non_negative=True))
    paper = Paper(
        "Quasi-hyperbolic momentum and Adam for deep learning",
        "Ma and Yarats",
        2018,
        "1810.06801",
    )
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "nu_1": Uniform(0.5, 0.9),
        },
        use_when="Adam suits the model, but single gradients should count for more.",
        not_when="Trials are few: it has two more weights to choose than Adam.",
    )

    def prepare(self, h, t, z):
        return h.extend(
            share_m=h.nu_1 / one_minus_power(h.beta_1, t),
            share_v=h.nu_2 / one_minus_power(h.beta_2, t),
        ), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        mean = (1 - h.nu_1) * g + h.share_m * m
        root = ops.sqrt((1 - h.nu_2) * ops.square(g) + h.share_v * v) + h.epsilon
        return -h.learning_rate * mean / root, s.next(m=m, v=v)
