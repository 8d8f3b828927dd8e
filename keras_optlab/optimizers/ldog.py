"""L-DoG."""

from keras import ops

from keras_optlab.core import (
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.numerics import maximum, norm
from keras_optlab.engine import Optimizer


class LDoG(Optimizer, family="learning-rate-free"):
    r"""L-DoG: DoG with a separate rate for each tensor.

    The formulas are those of `DoG`, with norms over one tensor instead of the model.

    Args:
        learning_rate: $\eta$ >= 0, 1 in the paper; for schedules.
        reps_rel: $\rho$ > 0, the first step relative to the weights.
        epsilon: $\epsilon$ > 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Ivgi, Hinder and Carmon, 2023, arXiv:2302.12022, section 3.

    >>> optimizer = LDoG(use_ema=True)
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    reps_rel: float = Hyper(default=1e-6, doc="relative first step ρ")
    epsilon: float = Hyper(default=1e-8, doc="stabilizer ε")

    elementwise = False
    slots = (
        Slot("start", init="weight", constant=True),
        Slot("r", shape="scalar"),
        Slot("total", shape="scalar"),
    )
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
        use_when="A model is fine-tuned without a search, and layers differ in rate.",
        not_when="A tensor may run away: DoG has one rate for all and is more careful.",
    )

    def update(self, w, g, s, h, t):
        first = h.reps_rel * (1 + norm(s.start))
        r = maximum(maximum(norm(w - s.start), s.r), first)
        total = s.total + ops.sum(ops.square(g))
        rate = h.learning_rate * r / ops.sqrt(total + h.epsilon)
        return -rate * g, s.next(r=r, total=total)
