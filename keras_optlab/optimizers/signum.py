"""Signum."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.numerics import ema
from keras_optlab.engine import Optimizer


class Signum(Optimizer, family="sign"):
    r"""Signum: the sign of the moving average of the gradients.

    $$m_t = \beta m_{t-1} + (1 - \beta) g_t, \qquad
      \theta_t = \theta_{t-1} - \eta \operatorname{sign}(m_t)$$

    Args:
        learning_rate: $\eta$ >= 0, by which every weight moves.
        momentum: $\beta$ in [0, 1).
        **kwargs: Arguments of every `Optimizer`.

    Source: Bernstein, Wang, Azizzadenesheli and Anandkumar, 2018, arXiv:1802.04434,
    Algorithm 2.

    >>> optimizer = Signum(1e-4)
    """

    learning_rate: LearningRateLike = LearningRate(default=1e-3)
    momentum: FloatOrSchedule = Beta(default=0.9, doc="momentum decay rate β")

    slots = (Slot("m"),)
    paper = Paper(
        "signSGD: Compressed optimisation for non-convex problems",
        "Bernstein, Wang, Azizzadenesheli and Anandkumar",
        2018,
        "1802.04434",
    )
    tuning = Tuning(
        around(1e-3),
        others={
            "momentum": Choices((0.9, 0.95, 0.99)),
            "weight_decay": LogUniform(0.01, 1.0),
        },
        use_when="Batches are large, layers differ in scale, one slot must do.",
        not_when="Weights should rest near an optimum: all move by the rate.",
    )

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.momentum)
        return -h.learning_rate * ops.sign(m), s.next(m=m)
