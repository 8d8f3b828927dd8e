"""Adam with hypergradient descent on the learning rate."""

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
    Values,
    around,
)
from keras_optlab.core.numerics import ema, one_minus_power
from keras_optlab.engine import Optimizer


class HypergradientAdam(Optimizer, family="hypergradient"):
    r"""Adam-HD: Adam whose rate changes by the inner product of gradient and last step.

    With $u_t = \hat m_t / (\sqrt{\hat v_t} + \epsilon)$ as in `Adam`, $u_0 = 0$, and
    the inner product over all weights of the model,

    $$\eta_t = \eta_{t-1} + \beta\, \langle g_t, u_{t-1} \rangle, \qquad
      \theta_t = \theta_{t-1} - \eta_t\, u_t$$

    Args:
        learning_rate: $\eta_0$ >= 0. With a schedule, the learned change is added to
            its value.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        hypergradient_learning_rate: $\beta$ >= 0.
        epsilon: $\epsilon$ > 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Baydin et al., 2017, arXiv:1703.04782, Algorithm 5.

    >>> optimizer = HypergradientAdam(1e-3, hypergradient_learning_rate=1e-8)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    hypergradient_learning_rate: FloatOrSchedule = Hyper(
        default=1e-7, within=">= 0", doc="learning rate β of the learning rate"
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-8, doc="stabilizer ε")

    slots = (Slot("m"), Slot("v", non_negative=True))
    shared = (Slot("learned"),)
    paper = Paper(
        "Online learning rate adaptation with hypergradient descent",
        "Baydin et al.",
        2017,
        "1703.04782",
    )
    tuning = Tuning(
        around(3e-3),
        schedule="constant",
        others={"hypergradient_learning_rate": LogUniform(1e-9, 1e-5)},
        use_when="Adam's rate is roughly known and should correct itself.",
        not_when="The length is known: a schedule needs no rate of the rate.",
    )

    def prepare(self, h, t, z):
        last = ops.where(t > 1, t - 1, 1.0)
        return h.extend(
            bias_1=one_minus_power(h.beta_1, t),
            bias_2=one_minus_power(h.beta_2, t),
            last_bias_1=one_minus_power(h.beta_1, last),
            last_bias_2=one_minus_power(h.beta_2, last),
        ), z

    def local_sums(self, w, g, s, h, t):
        u = s.m / h.last_bias_1 / (ops.sqrt(s.v / h.last_bias_2) + h.epsilon)
        return Values(agreement=ops.sum(g * u))

    def use_sums(self, h, t, z, sums):
        learned = z.learned + h.hypergradient_learning_rate * sums.agreement
        return h.extend(rate=h.learning_rate + learned), z.next(learned=learned)

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        u = m / h.bias_1 / (ops.sqrt(v / h.bias_2) + h.epsilon)
        return -h.rate * u, s.next(m=m, v=v)
