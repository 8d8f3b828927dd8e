"""Momentum in its textbook forms."""

from keras_optlab.core import (
    Beta,
    Choice,
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
from keras_optlab.engine import Optimizer


class Momentum(Optimizer, family="momentum"):
    r"""Momentum: gradient descent with momentum, in one of its three textbook forms.

    - `"velocity"`: $v_t = \gamma v_{t-1} + \eta g_t$,
      $\theta_t = \theta_{t-1} - v_t$.
    - `"heavy_ball"`: $\theta_t = \theta_{t-1} - \eta g_t
      + \gamma (\theta_{t-1} - \theta_{t-2})$.
    - `"ema"`: $v_t = \gamma v_{t-1} + (1 - \gamma) g_t$,
      $\theta_t = \theta_{t-1} - \eta v_t$.

    The first two are the same method, also under a changing rate. The heavy ball's slot
    holds the last displacement $\theta_{t-1} - \theta_{t-2}$ itself: in float32 the
    difference of two weights loses most of its digits. The third takes steps
    $1 - \gamma$ times as long, and a change of the rate rescales all past gradients.

    Args:
        learning_rate: $\eta$ >= 0.
        momentum: $\gamma$ in [0, 1).
        form: `"velocity"`, `"heavy_ball"` or `"ema"`.
        **kwargs: Arguments of every `Optimizer`.

    Source: Polyak (1964) for the heavy ball.

    >>> optimizer = Momentum(0.1, momentum=0.9, form="ema")
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    momentum: FloatOrSchedule = Beta(default=0.9, doc="momentum γ")
    form: str = Choice(
        default="velocity",
        choices=("velocity", "heavy_ball", "ema"),
        doc="form of the update",
    )

    slots = (Slot("v"),)
    paper = Paper(
        "Some methods of speeding up the convergence of iteration methods",
        "Polyak",
        1964,
    )
    tuning = Tuning(
        around(0.05),
        others={
            "momentum": Choices((0.8, 0.9, 0.95)),
            "weight_decay": LogUniform(1e-5, 1e-2),
        },
        use_when="You study momentum, or need one of its three textbook forms.",
        not_when="You want Nesterov momentum: SGD has it.",
    )

    def update(self, w, g, s, h, t):
        if h.form == "heavy_ball":
            displacement = h.momentum * s.v - h.learning_rate * g
            return displacement, s.next(v=displacement)
        if h.form == "velocity":
            v = h.momentum * s.v + h.learning_rate * g
            return -v, s.next(v=v)
        v = h.momentum * s.v + (1 - h.momentum) * g
        return -h.learning_rate * v, s.next(v=v)
