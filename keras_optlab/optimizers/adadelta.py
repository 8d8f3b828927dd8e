"""Adadelta."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Choices,
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
from keras_optlab.core.numerics import ema
from keras_optlab.engine import Optimizer


class Adadelta(Optimizer, family="adaptive"):
    r"""Adadelta: RMSprop whose step size is the running RMS of past updates.

    $$E[g^2]_t = \rho E[g^2]_{t-1} + (1 - \rho) g_t^2, \qquad
      \Delta_t = -\frac{\sqrt{E[\Delta^2]_{t-1} + \epsilon}}
                       {\sqrt{E[g^2]_t + \epsilon}}\, g_t,$$
    $$E[\Delta^2]_t = \rho E[\Delta^2]_{t-1} + (1 - \rho) \Delta_t^2, \qquad
      \theta_t = \theta_{t-1} + \eta \Delta_t$$

    Args:
        learning_rate: $\eta$ >= 0. The paper has none (that is 1) and torch has 1; the
            default is Keras' 0.001, with updates a thousand times smaller.
        rho: $\rho$ in [0, 1); 0.95 as in the paper.
        epsilon: $\epsilon$ >= 0; the paper has 1e-6.
        **kwargs: Arguments of every `Optimizer`.

    Source: Zeiler, 2012, arXiv:1212.5701, Algorithm 1.

    >>> as_published = Adadelta(1.0, rho=0.95, epsilon=1e-6)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    rho: FloatOrSchedule = Beta(default=0.95, doc="decay ρ of both second moments")
    epsilon: FloatOrSchedule = Hyper(default=1e-7, within=">= 0", doc="stabilizer ε")

    slots = (
        Slot("accumulated_grad", non_negative=True),
        Slot("accumulated_delta", non_negative=True),
    )
    paper = Paper(
        "ADADELTA: An adaptive learning rate method", "Zeiler", 2012, "1212.5701"
    )
    tuning = Tuning(
        around(2.0),
        others={
            "rho": Choices((0.9, 0.95, 0.99)),
            "epsilon": LogUniform(1e-8, 1e-4),
        },
        use_when="Layers differ much in the size of gradients; a rate near 1 may do.",
        not_when="You keep the default rate, a thousandth of the paper's.",
    )
    keras_twin = "Adadelta"

    def update(self, w, g, s, h, t):
        mean_grad = ema(s.accumulated_grad, ops.square(g), h.rho)
        rms_delta = ops.sqrt(s.accumulated_delta + h.epsilon)
        delta = -rms_delta / ops.sqrt(mean_grad + h.epsilon) * g
        mean_delta = ema(s.accumulated_delta, ops.square(delta), h.rho)
        return h.learning_rate * delta, s.next(
            accumulated_grad=mean_grad, accumulated_delta=mean_delta
        )
