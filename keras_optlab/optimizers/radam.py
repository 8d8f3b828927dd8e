"""Rectified Adam."""

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
from keras_optlab.core.numerics import ema, one_minus_power, simple_average_length
from keras_optlab.engine import Optimizer


class RAdam(Optimizer, family="adaptive"):
    r"""RAdam: Adam, rectified for the variance of the second moment in early updates.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,$$
    $$\rho_\infty = \frac{2}{1 - \beta_2} - 1, \qquad
      \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \qquad
      \hat m_t = \frac{m_t}{1 - \beta_1^t}$$

    While $\rho_t \le 5$, $\theta_t = \theta_{t-1} - \eta\, \hat m_t$; then

    $$\theta_t = \theta_{t-1} - \eta\, r_t\, \hat m_t
      \frac{\sqrt{1 - \beta_2^t}}{\sqrt{v_t} + \epsilon}, \qquad
      r_t^2 = \frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}
                   {(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}$$

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1); at 2/3 or less no update is adaptive.
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Liu et al., 2019, arXiv:1908.03265, Algorithm 2. The paper compares
    $\rho_t$ with 4, where $r_t$ is 0. The authors' code, torch, optax and this class
    compare with 5.

    >>> optimizer = RAdam(1e-3)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")

    slots = (Slot("m"), Slot("v", non_negative=True))
    paper = Paper(
        "On the variance of the adaptive learning rate and beyond",
        "Liu et al.",
        2019,
        "1908.03265",
    )
    tuning = Tuning(
        around(5e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "beta_2": Choices((0.95, 0.99, 0.999)),
        },
        use_when="Adam is unsteady in its first steps, and there is no warm-up.",
        not_when="The schedule has a warm-up: it does the same for AdamW.",
    )

    def prepare(self, h, t, z):
        longest = 2 / (1 - h.beta_2) - 1
        length = simple_average_length(h.beta_2, t)
        trusted = length > 5
        squared = ((length - 4) * (length - 2) * longest) / (
            (longest - 4) * (longest - 2) * length
        )
        r = ops.sqrt(ops.where(trusted, squared, 0.0))
        rate = h.learning_rate / one_minus_power(h.beta_1, t)
        return h.extend(
            plain=ops.where(trusted, 0.0, rate),
            adaptive=rate * r * ops.sqrt(one_minus_power(h.beta_2, t)),
        ), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        rate = h.plain + h.adaptive / (ops.sqrt(v) + h.epsilon)
        return -rate * m, s.next(m=m, v=v)
