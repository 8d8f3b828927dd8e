"""Grams."""

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


class Grams(Optimizer, family="adaptive"):
    r"""Grams: the length of Adam's step, in the direction of the gradient's sign.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,$$
    $$\theta_t = \theta_{t-1} - \eta\, \operatorname{sign}(g_t)
      \frac{|\hat m_t|}{\sqrt{\hat v_t} + \epsilon},
      \qquad \hat x_t = x_t / (1 - \beta^t)$$

    Where momentum and gradient have opposite signs, Adam follows the momentum, a
    cautious Adam (`transforms.Cautious`) does not move, and Grams follows the gradient.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Cao, Li and Song, 2024, arXiv:2412.17107; formula and defaults are those of
    the authors' code (Gunale0926/Grams, commit f91a375). That code adds $\epsilon$ to
    $\sqrt{v_t}$ without bias correction, as `"hat"` in `Adam`. pytorch_optimizer 3.9
    gave the gradient the weight $\beta_1$ in $m$, and divided $v_t$ by
    $\sqrt{1 - \beta_2^t}$; 4.1 does not.

    >>> optimizer = Grams(1e-3, weight_decay=0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-6, within=">= 0", doc="stabilizer ε")

    slots = (Slot("m"), Slot("v", non_negative=True))
    paper = Paper(
        "Grams: Gradient descent with adaptive momentum scaling",
        "Cao, Li and Song",
        2024,
        "2412.17107",
    )
    tuning = Tuning(
        around(3e-3),
        others={"weight_decay": LogUniform(0.003, 0.3)},
        use_when="Batches are large: the sign of a gradient can be relied on.",
        not_when="Batches are small: the sign of one noisy gradient directs the step.",
    )

    def prepare(self, h, t, z):
        root_2 = ops.sqrt(one_minus_power(h.beta_2, t))
        return h.extend(
            rate=h.learning_rate * root_2 / one_minus_power(h.beta_1, t),
            epsilon_t=h.epsilon * root_2,
        ), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        size = ops.abs(m) / (ops.sqrt(v) + h.epsilon_t)
        return -h.rate * ops.sign(g) * size, s.next(m=m, v=v)
