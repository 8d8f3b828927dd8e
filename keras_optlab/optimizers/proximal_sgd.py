"""Proximal gradient descent."""

from keras_optlab.core import (
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Tuning,
    around,
)
from keras_optlab.core.numerics import soft_threshold
from keras_optlab.engine import Optimizer


class ProximalSGD(Optimizer, family="proximal"):
    r"""Proximal SGD: SGD, then L1 soft threshold (exact zeros), L2 shrinkage.

    $$p_t = \theta_{t-1} - \eta\, g_t, \qquad
      \theta_t = \frac{\operatorname{sign}(p_t) \max(|p_t| - \eta \lambda_1, 0)}
                      {1 + \eta \lambda_2}$$

    Args:
        learning_rate: $\eta$ >= 0.
        l1_regularization_strength: $\lambda_1$ >= 0.
        l2_regularization_strength: $\lambda_2$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Duchi and Singer (2009), section 5, as TensorFlow's ProximalGradientDescent.

    >>> lasso = ProximalSGD(0.01, l1_regularization_strength=0.1)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    l1_regularization_strength: FloatOrSchedule = Hyper(
        default=0.0, within=">= 0", doc="L1 strength λ₁"
    )
    l2_regularization_strength: FloatOrSchedule = Hyper(
        default=0.0, within=">= 0", doc="L2 strength λ₂"
    )

    paper = Paper(
        "Efficient online and batch learning using forward backward splitting",
        "Duchi and Singer",
        2009,
    )
    tuning = Tuning(
        around(0.3),
        others={"l1_regularization_strength": LogUniform(1e-7, 1e-3)},
        use_when="Weights should become exactly zero, as in a lasso.",
        not_when="There is no penalty: it is then SGD without momentum.",
    )

    def update(self, w, g, s, h, t):
        return self.proximal(w - h.learning_rate * g, h.learning_rate, h) - w, s

    def proximal(self, p, rate, h):
        """Return the proximal map of both penalties at a point."""
        shrunk = soft_threshold(p, rate * h.l1_regularization_strength)
        return shrunk / (1 + rate * h.l2_regularization_strength)
