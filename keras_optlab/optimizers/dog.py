"""DoG."""

from keras import ops

from keras_optlab.core import (
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
from keras_optlab.core.numerics import maximum
from keras_optlab.engine import Optimizer


class DoG(Optimizer, family="learning-rate-free"):
    r"""DoG: SGD with rate = max distance from start / root of summed squared gradients.

    With norms over all weights of the model,

    $$r_t = \max(r_{t-1}, \|\theta_{t-1} - \theta_0\|), \qquad
      G_t = G_{t-1} + \|g_t\|^2, \qquad
      \theta_t = \theta_{t-1} - \eta\, \frac{r_t}{\sqrt{G_t + \epsilon}}\, g_t$$

    and $r_0 = \rho\, (1 + \|\theta_0\|)$. The theory holds for an average of the
    weights: see `use_ema`.

    Args:
        learning_rate: $\eta$ >= 0, 1 in the paper; for schedules.
        reps_rel: $\rho$ > 0, the first step relative to the weights; lower it if
            training diverges at once.
        epsilon: $\epsilon$ > 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Ivgi, Hinder and Carmon, 2023, arXiv:2302.12022, Algorithm 1.

    >>> optimizer = DoG(use_ema=True)
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    reps_rel: float = Hyper(default=1e-6, doc="relative first step ρ")
    epsilon: float = Hyper(default=1e-8, doc="stabilizer ε")

    slots = (Slot("start", init="weight", constant=True),)
    shared = (Slot("r"), Slot("total"))
    learning_rate_free = True
    paper = Paper(
        "DoG is SGD's best friend: A parameter-free dynamic step size schedule",
        "Ivgi, Hinder and Carmon",
        2023,
        "2302.12022",
    )
    tuning = Tuning(
        around(1.0, factor=5),
        schedule="constant",
        others={"reps_rel": LogUniform(1e-6, 1e-3)},
        use_when="A model is fine-tuned without a search; average its weights.",
        not_when="A model is trained from scratch: a tuned AdamW gets further.",
    )

    def local_sums(self, w, g, s, h, t):
        return Values(
            start=ops.sum(ops.square(s.start)),
            moved=ops.sum(ops.square(w - s.start)),
            gradient=ops.sum(ops.square(g)),
        )

    def use_sums(self, h, t, z, sums):
        first = h.reps_rel * (1 + ops.sqrt(sums.start))
        r = maximum(maximum(ops.sqrt(sums.moved), z.r), first)
        total = z.total + sums.gradient
        rate = h.learning_rate * r / ops.sqrt(total + h.epsilon)
        return h.extend(rate=rate), z.next(r=r, total=total)

    def update(self, w, g, s, h, t):
        return -h.rate * g, s
