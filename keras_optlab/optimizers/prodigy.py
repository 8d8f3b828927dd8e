"""Prodigy."""

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


class Prodigy(Optimizer, family="learning-rate-free"):
    r"""Prodigy: Adam with rate from a growing estimate of the distance to the optimum.

    With $\beta_3 = \sqrt{\beta_2}$, $\eta_t = \eta\, d_{t-1}$, and sums over all
    weights of the model,

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, d_{t-1} g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, d_{t-1}^2 g_t^2,$$
    $$r_t = \beta_3 r_{t-1} + \frac{d_{t-1}}{d_0} \eta_t
      \langle g_t, \theta_0 - \theta_{t-1} \rangle, \qquad
      s_t = \beta_3 s_{t-1} + \frac{d_{t-1}}{d_0} \eta_t\, g_t,$$
    $$d_t = \max\Bigl(d_{t-1}, c\, \frac{r_t}{\|s_t\|_1}\Bigr), \qquad
      \theta_t = \theta_{t-1} - \eta_t \lambda \theta_{t-1}
      - \eta_t \frac{m_t}{\sqrt{v_t} + d_t \epsilon}$$

    Args:
        learning_rate: $\eta$ >= 0, a factor on the estimated rate; leave it at 1, or
            let a schedule decay it from 1 to 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        d0: $d_0$ > 0, the first estimate; must be below the true distance.
        d_coef: $c$ > 0, a factor on the estimate; tune it if the rate does not suit.
        growth_rate: Bound > 1 on $d_t / d_{t-1}$ once $d > d_0$; `None` is no bound.
        bias_correction: Whether $\eta_t$ includes Adam's bias corrections, as in optax.
        safeguard_warmup: Whether $s_t$ uses $d_{t-1}$ in place of $\eta_t$, for a
            schedule that starts near 0.
        epsilon: $\epsilon$ > 0.
        **kwargs: Arguments of every `Optimizer`; `weight_decay` is $\lambda$.

    Source: Mishchenko and Defazio, 2023, arXiv:2306.06101, Algorithm 4, scaled as
    in the authors' code.

    >>> optimizer = Prodigy(weight_decay=0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    d0: float = Hyper(default=1e-6, doc="first estimate d₀", adjustable=False)
    d_coef: FloatOrSchedule = Hyper(default=1.0, doc="factor c on the estimate")
    growth_rate: FloatOrSchedule | None = Hyper(
        default=None, within="> 1", doc="largest growth factor of the estimate"
    )
    bias_correction: bool = Flag(default=False, doc="Adam's bias corrections")
    safeguard_warmup: bool = Flag(default=False, doc="leave the rate out of s")
    epsilon: FloatOrSchedule = Hyper(default=1e-8, doc="stabilizer ε")

    decays_in_rule = True
    slots = (
        Slot("m"),
        Slot("v", non_negative=True),
        Slot("s"),
        Slot("start", init="weight", constant=True),
    )
    shared = (Slot("numerator"), Slot("d", init="d0"), Slot("d_max", init="d0"))
    learning_rate_free = True
    paper = Paper(
        "Prodigy: An expeditiously adaptive parameter-free learner",
        "Mishchenko and Defazio",
        2023,
        "2306.06101",
    )
    tuning = Tuning(
        around(1.0, factor=5),
        schedule="cosine",
        others={
            "d_coef": LogUniform(0.3, 3.0),
            "weight_decay": LogUniform(0.003, 0.3),
        },
        use_when="No rate is to be searched: keep 1, with a cosine to 0.",
        not_when="Memory is short, or training too short for its estimate to grow.",
    )

    def prepare(self, h, t, z):
        rate = z.d * h.learning_rate
        if h.bias_correction:
            bias_1, bias_2 = one_minus_power(h.beta_1, t), one_minus_power(h.beta_2, t)
            rate = rate * ops.sqrt(bias_2) / bias_1
        scale = z.d / h.d0
        return h.extend(
            d=z.d,
            rate=rate,
            beta_3=sqrt_beta(h.beta_2),
            scale_r=scale * rate,
            scale_s=scale * (z.d if h.safeguard_warmup else rate),
        ), z

    def local_sums(self, w, g, s, h, t):
        return Values(
            r=h.scale_r * ops.sum(g * (s.start - w)),
            s=ops.sum(ops.abs(h.beta_3 * s.s + h.scale_s * g)),
        )

    def use_sums(self, h, t, z, sums):
        numerator = h.beta_3 * z.numerator + sums.r
        known = ops.logical_and(sums.s > 0, h.learning_rate > 0)
        found = h.d_coef * numerator / ops.where(sums.s > 0, sums.s, 1.0)
        found = ops.where(known, found, z.d)
        d_max = maximum(found, z.d_max)
        d = d_max
        if h.growth_rate is not None:
            last = ops.where(z.d > h.d0, z.d, maximum(found, z.d))
            d = minimum(d_max, last * h.growth_rate)
        z = z.next(numerator=numerator, d=d, d_max=d_max)
        return h.extend(epsilon_t=d * h.epsilon), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, h.d * g, h.beta_1)
        v = ema(s.v, ops.square(h.d * g), h.beta_2)
        u = m / (ops.sqrt(v) + h.epsilon_t)
        if h.weight_decay is not None:
            u = u + h.weight_decay * w
        s = s.next(m=m, v=v, s=h.beta_3 * s.s + h.scale_s * g)
        return -h.rate * u, s
