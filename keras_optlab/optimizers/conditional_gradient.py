"""Conditional gradient."""

from keras import ops

from keras_optlab.core import (
    Choice,
    Choices,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Tuning,
    around,
)
from keras_optlab.core.numerics import minimum, norm
from keras_optlab.core.spectral import leading_pair
from keras_optlab.engine import Optimizer


class ConditionalGradient(Optimizer, family="projection-free"):
    r"""Conditional gradient (Frank-Wolfe): steps that keep each tensor in a norm ball.

    $$\theta_t = (1 - \eta)\, \theta_{t-1} - \eta\, \rho\, s_t$$

    with $s_t = g_t / \|g_t\|$ for the Frobenius norm, and $s_t = u v^\top$ for the
    nuclear norm, with $u$ and $v$ the first singular vectors of $g_t$, so a step adds
    a rank-1 matrix. Weights inside the ball of radius $\rho$ stay inside.

    Args:
        learning_rate: $\eta$ in [0, 1]; more counts as 1. TensorFlow Addons' rate was
            $1 - \eta$.
        radius: $\rho$ > 0 of each tensor's ball.
        norm: `"frobenius"` or `"nuclear"`, which are the same for vectors. A tensor of
            more than two axes is a matrix whose columns are the last axis.
        **kwargs: Arguments of every `Optimizer`.

    Source: Frank and Wolfe (1956); Jaggi (2013), Algorithm 1.

    >>> optimizer = ConditionalGradient(0.01, radius=5.0, norm="nuclear")
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    radius: FloatOrSchedule = Hyper(default=10.0, doc="radius ρ of the ball")
    norm: str = Choice(
        default="frobenius", choices=("frobenius", "nuclear"), doc="norm of the ball"
    )

    elementwise = False
    paper = Paper("An algorithm for quadratic programming", "Frank and Wolfe", 1956)
    tuning = Tuning(
        around(0.01),
        schedule="cosine",
        others={
            "radius": LogUniform(3.0, 100.0),
            "norm": Choices(("nuclear", "frobenius")),
        },
        use_when="Weights must stay in a norm ball, or have low rank (nuclear norm).",
        not_when="Weights are unconstrained: every step also shrinks them.",
    )

    def update(self, w, g, s, h, t):
        if h.norm == "nuclear" and len(w.shape) > 1:
            corner = leading_pair(g)
        else:
            length = norm(g)
            corner = g / ops.where(length > 0, length, 1.0)
        return -minimum(h.learning_rate, 1.0) * (w + h.radius * corner), s
