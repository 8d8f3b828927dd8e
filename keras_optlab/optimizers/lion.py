"""Lion."""

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


class Lion(Optimizer, family="sign"):
    r"""Lion: sign of an interpolation between momentum and gradient.

    $$\theta_t = \theta_{t-1}
      - \eta \operatorname{sign}(\beta_1 m_{t-1} + (1 - \beta_1) g_t), \qquad
      m_t = \beta_2 m_{t-1} + (1 - \beta_2) g_t$$

    Every weight moves by $\eta$: use a rate 3 to 10 times smaller than Adam's, and a
    weight decay as many times larger.

    Args:
        learning_rate: $\eta$ >= 0; 0.001 as in Keras, where the paper has 1e-4.
        beta_1: $\beta_1$ in [0, 1), weight of the momentum in the direction; 0 is the
            sign of the gradient.
        beta_2: $\beta_2$ in [0, 1), decay of the momentum.
        **kwargs: Arguments of every `Optimizer`.

    Source: Chen et al., 2023, arXiv:2302.06675, Algorithm 2.

    >>> as_published = Lion(1e-4, weight_decay=1.0)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="interpolation β₁ of the direction")
    beta_2: FloatOrSchedule = Beta(default=0.99, doc="decay β₂ of the momentum")

    slots = (Slot("m"),)
    paper = Paper(
        "Symbolic discovery of optimization algorithms",
        "Chen et al.",
        2023,
        "2302.06675",
    )
    tuning = Tuning(
        around(1e-3),
        others={
            "weight_decay": LogUniform(0.03, 3.0),
            "beta_2": Choices((0.95, 0.99, 0.995)),
        },
        use_when="Batches are large, and there is memory for one slot only.",
        not_when="Batches are small: noise decides the sign of every weight's step.",
    )
    keras_twin = "Lion"

    def update(self, w, g, s, h, t):
        direction = ops.sign(ema(s.m, g, h.beta_1))
        return -h.learning_rate * direction, s.next(m=ema(s.m, g, h.beta_2))
