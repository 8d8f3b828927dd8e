"""LARS."""

from keras_optlab.core import (
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.numerics import norm, trust_ratio
from keras_optlab.engine import Optimizer


class LARS(Optimizer, family="layer-wise"):
    r"""LARS: momentum SGD, per-tensor rate scaled by weight norm / gradient norm.

    $$\phi_t = \tau\, \frac{\|\theta_{t-1}\|}
                           {\|g_t\| + \lambda \|\theta_{t-1}\|}, \qquad
      v_t = \mu v_{t-1} + \eta\, \phi_t\, (g_t + \lambda \theta_{t-1}), \qquad
      \theta_t = \theta_{t-1} - v_t$$

    If $\theta_{t-1}$ (a new bias, say) or the denominator is zero, $\phi_t = 1$.

    Args:
        learning_rate: $\eta$ >= 0, the paper's global rate.
        momentum: $\mu$ in [0, 1].
        trust_coefficient: $\tau$ > 0.
        weight_decay: $\lambda$ >= 0, here part of the gradient and of the ratio.
        **kwargs: Arguments of every `Optimizer`. `decay_mask="matrices"` excludes
            biases from weight decay; the ratio still applies to them.

    Source: You, Gitman and Ginsburg, 2017, arXiv:1708.03888, Algorithm 1, with the rate
    inside the velocity; optax has it outside, which differs once the rate changes, and
    divides by $\|g_t + \lambda \theta_{t-1}\|$.

    >>> optimizer = LARS(1.0, weight_decay=1e-4)
    """

    learning_rate: LearningRateLike = LearningRate(default=1.0)
    momentum: FloatOrSchedule = Hyper(default=0.9, within="[0, 1]", doc="momentum μ")
    trust_coefficient: FloatOrSchedule = Hyper(default=0.001, doc="trust coefficient τ")

    elementwise = False
    decays_in_rule = True
    slots = (Slot("v"),)
    paper = Paper(
        "Large batch training of convolutional networks",
        "You, Gitman and Ginsburg",
        2017,
        "1708.03888",
    )
    tuning = Tuning(
        around(1.0),
        others={
            "weight_decay": LogUniform(1e-6, 1e-3),
            "trust_coefficient": LogUniform(1e-3, 0.1),
        },
        use_when="Batches are very large and the model is a CNN.",
        not_when="Batches have a usual size: SGD with momentum is simpler.",
    )

    def update(self, w, g, s, h, t):
        length, slope = norm(w), norm(g)
        if h.weight_decay is not None:
            slope = slope + h.weight_decay * length
            g = g + h.weight_decay * w
        ratio = trust_ratio(h.trust_coefficient * length, slope)
        v = h.momentum * s.v + h.learning_rate * ratio * g
        return -v, s.next(v=v)
