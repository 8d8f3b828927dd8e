"""Adagrad."""

from keras import ops

from keras_optlab.core import (
    Choice,
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
from keras_optlab.engine import Optimizer


class Adagrad(Optimizer, family="adaptive"):
    r"""Adagrad: gradient divided by the root of the sum of its squares so far.

    $$G_t = G_{t-1} + g_t^2, \qquad
      \theta_t = \theta_{t-1} - \eta\, g_t / \sqrt{G_t + \epsilon}$$

    Args:
        learning_rate: $\eta$ >= 0; 0.001 as in Keras, where torch has 0.01.
        initial_accumulator_value: $G_0$ >= 0; torch starts at 0, Keras at 0.1.
        epsilon: $\epsilon$ >= 0.
        epsilon_placement: `"inside"` the root as above and in Keras, or `"outside"` as
            $\sqrt{G_t} + \epsilon$ in torch.
        **kwargs: Arguments of every `Optimizer`.

    Source: Duchi, Hazan and Singer (2011), Figure 1 with a diagonal matrix; its
    $\delta$ is $\epsilon$ outside the root.

    >>> optimizer = Adagrad(0.01, initial_accumulator_value=0.0)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    initial_accumulator_value: float = Hyper(
        default=0.1, within=">= 0", doc="initial accumulator G₀", adjustable=False
    )
    epsilon: FloatOrSchedule = Hyper(default=1e-7, within=">= 0", doc="stabilizer ε")
    epsilon_placement: str = Choice(
        default="inside", choices=("inside", "outside"), doc="place of ε at the root"
    )

    slots = (Slot("accumulator", init="initial_accumulator_value", non_negative=True),)
    paper = Paper(
        "Adaptive subgradient methods for online learning and stochastic optimization",
        "Duchi, Hazan and Singer",
        2011,
    )
    tuning = Tuning(
        around(0.05),
        others={"initial_accumulator_value": LogUniform(1e-6, 0.1)},
        use_when="Features are sparse, such as words: rare ones get larger steps.",
        not_when="Training is long: steps only shrink, where RMSprop's recover.",
    )
    keras_twin = "Adagrad"

    @property
    def rests_without_gradient(self):
        return True

    def update(self, w, g, s, h, t):
        total = s.accumulator + ops.square(g)
        if h.epsilon_placement == "inside":
            root = ops.sqrt(total + h.epsilon)
        else:
            root = ops.sqrt(total) + h.epsilon
        return -h.learning_rate * g / root, s.next(accumulator=total)
