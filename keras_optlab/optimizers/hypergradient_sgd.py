"""SGD with hypergradient descent on the learning rate."""

from keras import ops

from keras_optlab.core import (
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
from keras_optlab.engine import Optimizer


class HypergradientSGD(Optimizer, family="hypergradient"):
    r"""SGD-HD: SGD whose rate changes by the inner product of successive gradients.

    With the inner product over all weights of the model,

    $$\eta_t = \eta_{t-1} + \beta\, \langle g_t, g_{t-1} \rangle, \qquad
      \theta_t = \theta_{t-1} - \eta_t\, g_t$$

    Args:
        learning_rate: $\eta_0$ >= 0. With a schedule, the learned change is added to
            its value.
        hypergradient_learning_rate: $\beta$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Baydin et al., 2017, arXiv:1703.04782, Algorithm 4.

    >>> optimizer = HypergradientSGD(0.01, hypergradient_learning_rate=1e-4)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    hypergradient_learning_rate: FloatOrSchedule = Hyper(
        default=1e-3, within=">= 0", doc="learning rate β of the learning rate"
    )

    slots = (Slot("g"),)
    shared = (Slot("learned"),)
    paper = Paper(
        "Online learning rate adaptation with hypergradient descent",
        "Baydin et al.",
        2017,
        "1703.04782",
    )
    tuning = Tuning(
        around(0.1),
        schedule="constant",
        others={"hypergradient_learning_rate": LogUniform(1e-5, 0.1)},
        use_when="SGD's first rate is a guess and should rise or fall by itself.",
        not_when="Gradients are large: the rate jumps unless its own rate is tiny.",
    )

    def local_sums(self, w, g, s, h, t):
        return Values(agreement=ops.sum(g * s.g))

    def use_sums(self, h, t, z, sums):
        learned = z.learned + h.hypergradient_learning_rate * sums.agreement
        return h.extend(rate=h.learning_rate + learned), z.next(learned=learned)

    def update(self, w, g, s, h, t):
        return -h.rate * g, s.next(g=g)
