"""D-Adaptation for SGD."""

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
    Values,
    around,
)
from keras_optlab.core.numerics import maximum, minimum
from keras_optlab.engine import Optimizer


class DAdaptSGD(Optimizer, family="learning-rate-free"):
    r"""D-Adaptation: SGD with rate from a lower bound on the distance to the optimum.

    With norms and inner products over all weights of the model, $g_1$ the first
    gradients, and $\eta_t = \eta\, d_{t-1} / \|g_1\|$,

    $$r_t = r_{t-1} + \eta_t \langle g_t, s_{t-1} \rangle, \qquad
      s_t = s_{t-1} + \eta_t\, g_t, \qquad
      d_t = \max\Bigl(d_{t-1}, \frac{2 r_t}{\|s_t\|}\Bigr),$$
    $$\theta_t = \beta\, \theta_{t-1} + (1 - \beta)\, (\theta_0 - s_t)$$

    Args:
        learning_rate: $\eta$ >= 0, a factor on the estimated rate; leave it at 1, or
            let a schedule decay it from 1 to 0.
        momentum: $\beta$ in [0, 1).
        d0: $d_0$ > 0, the first estimate; must be below the true distance.
        growth_rate: Upper bound > 1 on $d_t / d_{t-1}$; `None` is no bound.
        **kwargs: Arguments of every `Optimizer`.

    Source: Defazio and Mishchenko, 2023, arXiv:2301.07733, Algorithm 4, with the
    numerator of the authors' code since version 3.

    >>> optimizer = DAdaptSGD(momentum=0.9)
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    momentum: FloatOrSchedule = Beta(default=0.0, doc="momentum β")
    d0: float = Hyper(default=1e-6, doc="first estimate d₀", adjustable=False)
    growth_rate: FloatOrSchedule | None = Hyper(
        default=None, within="> 1", doc="largest growth factor of the estimate"
    )

    slots = (Slot("s"), Slot("start", init="weight", constant=True))
    shared = (Slot("numerator"), Slot("first_norm"), Slot("d", init="d0"))
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
        others={"momentum": Choices((0.0, 0.9))},
        use_when="SGD suits the model, as a CNN, and nobody wants to search its rate.",
        not_when="The model is a transformer: there is one rate for all weights.",
    )

    def local_sums(self, w, g, s, h, t):
        return Values(
            ss=ops.sum(ops.square(s.s)), sg=ops.sum(s.s * g), gg=ops.sum(ops.square(g))
        )

    def use_sums(self, h, t, z, sums):
        first = ops.where(z.first_norm > 0, z.first_norm, ops.sqrt(sums.gg))
        rate = z.d * h.learning_rate / ops.where(first > 0, first, 1.0)
        numerator = z.numerator + rate * sums.sg
        squared = sums.ss + 2 * rate * sums.sg + ops.square(rate) * sums.gg
        found = 2 * numerator / ops.sqrt(ops.where(squared > 0, squared, 1.0))
        if h.growth_rate is not None:
            found = minimum(found, z.d * h.growth_rate)
        d = ops.where(h.learning_rate > 0, maximum(found, z.d), z.d)
        return h.extend(rate=rate), z.next(numerator=numerator, first_norm=first, d=d)

    def update(self, w, g, s, h, t):
        total = s.s + h.rate * g
        return (1 - h.momentum) * (s.start - total - w), s.next(s=total)
