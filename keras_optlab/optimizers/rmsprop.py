"""RMSprop."""

from keras import ops

from keras_optlab.core import (
    Beta,
    Choice,
    Choices,
    Flag,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    Paper,
    Slot,
    Tuning,
    around,
)
from keras_optlab.core.numerics import ema, maximum
from keras_optlab.engine import Optimizer


class RMSprop(Optimizer, family="adaptive"):
    r"""RMSprop: the gradient divided by the square root of its second moment.

    $$S_t = \rho S_{t-1} + (1 - \rho) g_t^2, \qquad
      \theta_t = \theta_{t-1} - \eta\, g_t / \sqrt{S_t + \epsilon}$$

    If centered, $S_t - \bar g_t^2$ replaces $S_t$, with $\bar g_t$ a moving average of
    the gradients. With momentum,
    $m_t = \mu m_{t-1} + \eta\, g_t / \sqrt{S_t + \epsilon}$ and
    $\theta_t = \theta_{t-1} - m_t$.

    Args:
        learning_rate: $\eta$ >= 0; 0.001 as in Keras, where torch has 0.01.
        rho: $\rho$ in [0, 1); 0.9 as in Keras, where torch's alpha is 0.99.
        momentum: $\mu$ in [0, 1]; 0 needs no slot.
        epsilon: $\epsilon$ >= 0.
        centered: Whether to divide by the gradient's standard deviation instead.
        epsilon_placement: `"inside"` the root as above and in Keras, or `"outside"` as
            $\sqrt{S_t} + \epsilon$, as in torch.
        **kwargs: Arguments of every `Optimizer`.

    Source: Tieleman and Hinton (2012), lecture 6e; centered with momentum: Graves,
    2013, arXiv:1308.0850, equations 38 to 41.

    >>> optimizer = RMSprop(0.001, momentum=0.9, centered=True)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    rho: FloatOrSchedule = Beta(default=0.9, doc="second-moment decay rate ρ")
    momentum: FloatOrSchedule = Hyper(default=0.0, within="[0, 1]", doc="momentum μ")
    epsilon: FloatOrSchedule = Hyper(default=1e-7, within=">= 0", doc="stabilizer ε")
    centered: bool = Flag(default=False, doc="divide by the standard deviation")
    epsilon_placement: str = Choice(
        default="inside", choices=("inside", "outside"), doc="place of ε at the root"
    )

    slots = (
        Slot("velocity", non_negative=True),
        Slot("momentum", when="momentum", stored_last=True),
        Slot("average_gradient", when="centered", stored_last=True),
    )
    paper = Paper(
        "Lecture 6e: Divide the gradient by a running average of its recent magnitude",
        "Tieleman and Hinton",
        2012,
    )
    tuning = Tuning(
        around(1e-3),
        others={
            "rho": Choices((0.9, 0.95, 0.99)),
            "momentum": Choices((0.0, 0.9)),
        },
        use_when="Older recipes ask for it, as for recurrent networks and agents.",
        not_when="The first steps must be small: their bias is not corrected.",
    )
    keras_twin = "RMSprop"

    def update(self, w, g, s, h, t):
        v = ema(s.velocity, ops.square(g), h.rho)
        s = s.next(velocity=v)
        if h.centered:
            mean = ema(s.average_gradient, g, h.rho)
            s = s.next(average_gradient=mean)
            v = maximum(v - ops.square(mean), 0)  # rounded slots may disagree
        if h.epsilon_placement == "inside":
            root = ops.sqrt(v + h.epsilon)
        else:
            root = ops.sqrt(maximum(v, 0)) + h.epsilon
        step = h.learning_rate * g / root
        if "momentum" in s:
            step = h.momentum * s.momentum + step
            s = s.next(momentum=step)
        return -step, s
