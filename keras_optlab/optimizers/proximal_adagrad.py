"""Proximal Adagrad."""

from keras import ops

from keras_optlab.core import (
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Slot,
    Tuning,
    around,
)
from keras_optlab.optimizers.proximal_sgd import ProximalSGD


class ProximalAdagrad(ProximalSGD, family="proximal"):
    r"""Proximal Adagrad: Adagrad, then L1 soft threshold (exact zeros), L2 shrinkage.

    $$G_t = G_{t-1} + g_t^2, \qquad \eta_t = \eta / \sqrt{G_t}, \qquad
      p_t = \theta_{t-1} - \eta_t\, g_t,$$
    $$\theta_t = \frac{\operatorname{sign}(p_t) \max(|p_t| - \eta_t \lambda_1, 0)}
                      {1 + \eta_t \lambda_2}$$

    Args:
        learning_rate: $\eta$ >= 0.
        l1_regularization_strength: $\lambda_1$ >= 0.
        l2_regularization_strength: $\lambda_2$ >= 0.
        initial_accumulator_value: $G_0$ > 0; the second argument in TensorFlow Addons.
        **kwargs: Arguments of every `Optimizer`.

    Source: Duchi and Singer (2009), with the rates of Duchi, Hazan and Singer (2011),
    as TensorFlow's ProximalAdagrad.

    >>> lasso = ProximalAdagrad(0.1, l1_regularization_strength=0.1)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    initial_accumulator_value: float = Hyper(
        default=0.1, doc="initial accumulator G₀", adjustable=False
    )
    l1_regularization_strength: FloatOrSchedule = Hyper(
        default=0.0, within=">= 0", doc="L1 strength λ₁"
    )
    l2_regularization_strength: FloatOrSchedule = Hyper(
        default=0.0, within=">= 0", doc="L2 strength λ₂"
    )

    slots = (Slot("accumulator", init="initial_accumulator_value", non_negative=True),)
    tuning = Tuning(
        around(0.1),
        others={"l1_regularization_strength": LogUniform(1e-7, 1e-3)},
        use_when="Features are sparse, and L1 should make exact zeros.",
        not_when="There is no penalty: it is then Adagrad.",
    )

    def update(self, w, g, s, h, t):
        total = s.accumulator + ops.square(g)
        rate = h.learning_rate / ops.sqrt(total)
        return self.proximal(w - rate * g, rate, h) - w, s.next(accumulator=total)
