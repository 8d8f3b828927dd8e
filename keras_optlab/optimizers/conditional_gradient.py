"""Conditional gradient."""

from keras import ops

from keras_optlab.core import (
    Choice,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    Paper,
)
from keras_optlab.core.numerics import minimum, norm
from keras_optlab.core.spectral import leading_pair
from keras_optlab.engine import Optimizer


class ConditionalGradient(Optimizer):
    r"""Conditional gradient (Frank-Wolfe): each tensor stays in a ball.

    $$\theta_t = (1 - \eta)\, \theta_{t-1} - \eta\, \rho\, s_t$$

    with $s_t = g_t / \|g_t\|$ for the ball of the Frobenius norm, and $s_t = u v^\top$,
    the first pair of singular vectors of $g_t$, for that of the nuclear norm, whose
    points are matrices of low rank. From within the ball of radius $\rho$ no step leads
    out of it.

    Args:
        learning_rate: $\eta$ in [0, 1]; more counts as 1. TensorFlow Addons' rate was
            $1 - \eta$.
        radius: $\rho$ > 0 of each tensor's ball.
        norm: `"frobenius"`, or `"nuclear"`: for vectors they are the same, and what has
            more than two axes is taken as a matrix whose columns are the last axis.
        **kwargs: What every `Optimizer` takes.

    Source: Frank and Wolfe (1956); Jaggi (2013), Algorithm 1.

    >>> optimizer = ConditionalGradient(0.01, radius=5.0, norm="nuclear")
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    radius: FloatOrSchedule = Hyper(default=10.0, doc="radius ρ of the ball")
    norm: str = Choice(
        default="frobenius", choices=("frobenius", "nuclear"), doc="norm of the ball"
    )

    elementwise = False
    spectral = True
    rests_at_zero = True
    paper = Paper("An algorithm for quadratic programming", "Frank and Wolfe", 1956)

    def update(self, w, g, s, h, t):
        if h.norm == "nuclear" and len(w.shape) > 1:
            corner = leading_pair(g)
        else:
            length = norm(g)
            corner = g / ops.where(length > 0, length, 1.0)
        return -minimum(h.learning_rate, 1.0) * (w + h.radius * corner), s
