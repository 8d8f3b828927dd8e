"""D-Adaptation for Adam."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Flag,
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
from keras_optlab.core.numerics import ema, maximum, minimum, one_minus_power, sqrt_beta
from keras_optlab.engine import Optimizer


class DAdaptAdam(Optimizer, family="learning-rate-free"):
    r"""D-Adaptation: Adam with rate from a lower bound on the distance to the optimum.

    With $\beta_3 = \sqrt{\beta_2}$, $\eta_t = \eta\, d_{t-1}$, and sums over all
    weights of the model,

    $$r_t = \beta_3 r_{t-1} + (1 - \beta_3)\, \eta_t \Bigl\langle g_t,
      \frac{s_{t-1}}{\sqrt{v_{t-1}} + \epsilon} \Bigr\rangle, \qquad
      s_t = \beta_3 s_{t-1} + (1 - \beta_3)\, \eta_t\, g_t,$$
    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, \eta_t\, g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2,$$
    $$d_t = \max\Bigl(d_{t-1}, \frac{r_t}{(1 - \beta_3) \|s_t\|_1}\Bigr), \qquad
      \theta_t = \theta_{t-1} - \eta_t \lambda \theta_{t-1}
      - \frac{m_t}{\sqrt{v_t} + \epsilon}$$

    Args:
        learning_rate: $\eta$ >= 0, a factor on the estimated rate; leave it at 1, or
            let a schedule decay it from 1 to 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        d0: $d_0$ > 0, the first estimate; must be below the true distance.
        growth_rate: Upper bound > 1 on $d_t / d_{t-1}$; `None` is no bound.
        bias_correction: Whether $\eta_t$ includes Adam's bias corrections, as in optax.
        epsilon: $\epsilon$ > 0.
        **kwargs: Arguments of every `Optimizer`; `weight_decay` is $\lambda$.

    Source: Defazio and Mishchenko, 2023, arXiv:2301.07733, Algorithm 5, with the
    numerator of the authors' code since version 3.

    >>> optimizer = DAdaptAdam(weight_decay=0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    d0: float = Hyper(default=1e-6, doc="first estimate d₀", adjustable=False)
    growth_rate: FloatOrSchedule | None = Hyper(
        default=None, within="> 1", doc="largest growth factor of the estimate"
    )
    bias_correction: bool = Flag(default=False, doc="Adam's bias corrections")
    epsilon: FloatOrSchedule = Hyper(default=1e-8, doc="stabilizer ε")

    decays_in_rule = True
    slots = (Slot("m"), Slot("v", non_negative=True), Slot("s"))
    shared = (Slot("numerator"), Slot("d", init="d0"))
    learning_rate_free = True
    paper = Paper(
        "Learning-rate-free learning by D-adaptation",
        "Defazio and Mishchenko",
        2023,
        "2301.07733",
    )
    tuning = Tuning(
        around(1.0, factor=5),
        schedule="cosine",
        others={"weight_decay": LogUniform(0.003, 0.3)},
        use_when="Adam suits the model, and nobody wants to search its rate.",
        not_when="Training is short: Prodigy's estimate of the rate grows faster.",
    )

    def prepare(self, h, t, z):
        rate = z.d * h.learning_rate
        if h.bias_correction:
            bias_1, bias_2 = one_minus_power(h.beta_1, t), one_minus_power(h.beta_2, t)
            rate = rate * ops.sqrt(bias_2) / bias_1
        return h.extend(rate=rate, beta_3=sqrt_beta(h.beta_2)), z

    def local_sums(self, w, g, s, h, t):
        adapted = s.s / (ops.sqrt(s.v) + h.epsilon)
        return Values(
            r=h.rate * ops.sum(g * adapted),
            s=ops.sum(ops.abs(ema(s.s, h.rate * g, h.beta_3))),
        )

    def use_sums(self, h, t, z, sums):
        numerator = ema(z.numerator, sums.r, h.beta_3)
        known = ops.logical_and(sums.s > 0, h.learning_rate > 0)
        below = (1 - h.beta_3) * ops.where(sums.s > 0, sums.s, 1.0)
        found = ops.where(known, numerator / below, z.d)
        if h.growth_rate is not None:
            found = minimum(found, z.d * h.growth_rate)
        return h, z.next(numerator=numerator, d=maximum(found, z.d))

    def update(self, w, g, s, h, t):
        m = ema(s.m, h.rate * g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        u = -m / (ops.sqrt(v) + h.epsilon)
        if h.weight_decay is not None:
            u = u - h.rate * h.weight_decay * w
        return u, s.next(m=m, v=v, s=ema(s.s, h.rate * g, h.beta_3))
