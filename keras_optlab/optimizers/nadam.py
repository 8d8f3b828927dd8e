"""Nadam."""

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
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.engine import Optimizer


class Nadam(Optimizer, family="adaptive"):
    r"""Nadam: Adam with Nesterov momentum and a warm-up of the momentum coefficient.

    With $\mu_t = \beta_1 (1 - \tfrac12\, 0.96^{\psi t})$ and
    $P_t = \mu_1 \cdots \mu_t$,

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,$$
    $$\hat m_t = \frac{\mu_{t+1} m_t}{1 - P_{t+1}} + \frac{(1 - \mu_t) g_t}{1 - P_t},
      \qquad
      \theta_t = \theta_{t-1}
      - \eta\, \hat m_t / (\sqrt{v_t / (1 - \beta_2^t)} + \epsilon)$$

    Args:
        learning_rate: $\eta$ >= 0; 0.001 as in Keras, where torch has 0.002.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0.
        momentum_decay: $\psi$ > 0, the speed of the warm-up: 1 in Keras and here, 0.004
            in the paper and torch, where the warm-up is 250 times as long. optax has
            no warm-up.
        **kwargs: Arguments of every `Optimizer`.

    Source: Dozat (2016), Nadam with its momentum schedule.

    >>> as_published = Nadam(0.002, epsilon=1e-8, momentum_decay=0.004)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-7, within=">= 0", doc="stabilizer ε")
    momentum_decay: FloatOrSchedule = Hyper(default=1.0, doc="speed ψ of the warm-up")

    slots = (Slot("m"), Slot("v", non_negative=True))
    shared = (Slot("product", init=1.0),)
    paper = Paper("Incorporating Nesterov momentum into Adam", "Dozat", 2016)
    tuning = Tuning(
        around(3e-3),
        others={"beta_2": Choices((0.95, 0.99, 0.999))},
        use_when="Adam is to have Nesterov momentum, with the numbers of Keras' class.",
        not_when="You want the published momentum warm-up or a decay: see NAdamW.",
    )
    keras_twin = "Nadam"

    def prepare(self, h, t, z):
        def mu(t):
            return h.beta_1 * (1 - 0.5 * ops.power(0.96, h.momentum_decay * t))

        product = z.product * mu(t)
        next_mu = mu(t + 1)
        alpha_t = h.learning_rate * ops.sqrt(one_minus_power(h.beta_2, t))
        return h.extend(
            alpha_m=alpha_t * next_mu / (1 - product * next_mu),
            alpha_g=alpha_t * (1 - mu(t)) / (1 - product),
            epsilon_t=h.epsilon * ops.sqrt(one_minus_power(h.beta_2, t)),
        ), z.next(product=product)

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        u = -(h.alpha_m * m + h.alpha_g * g) / (ops.sqrt(v) + h.epsilon_t)
        return u, s.next(m=m, v=v)
