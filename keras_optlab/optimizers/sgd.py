"""Stochastic gradient descent."""

from keras_optlab.core import (
    Choices,
    Flag,
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


class SGD(Optimizer, family="momentum"):
    r"""SGD: stochastic gradient descent, optionally with momentum or Nesterov momentum.

    $$v_t = \mu v_{t-1} - \eta g_t, \qquad
      \theta_t = \theta_{t-1} + v_t, \quad\text{or Nesterov's}\quad
      \theta_t = \theta_{t-1} + \mu v_t - \eta g_t$$

    and $\theta_t = \theta_{t-1} - \eta g_t$ without momentum. The velocity includes the
    rate, as in Keras; torch and optax multiply the velocity by the rate, which differs
    once the rate changes. `Momentum` has the textbook forms.

    Args:
        learning_rate: $\eta$ >= 0; 0.01 as in Keras, where torch has 0.001.
        momentum: $\mu$ in [0, 1]; 0 needs no slot.
        nesterov: Whether to use Nesterov momentum.
        **kwargs: Arguments of every `Optimizer`.

    Source: Robbins and Monro (1951) without momentum; Sutskever, Martens, Dahl and
    Hinton (2013), equations 1 to 4, with it.

    >>> optimizer = SGD(0.1, momentum=0.9, nesterov=True)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    momentum: FloatOrSchedule = Hyper(default=0.0, within="[0, 1]", doc="momentum μ")
    nesterov: bool = Flag(default=False, doc="Nesterov momentum")

    slots = (Slot("v", when="momentum"),)
    paper = Paper(
        "On the importance of initialization and momentum in deep learning",
        "Sutskever, Martens, Dahl and Hinton",
        2013,
    )
    tuning = Tuning(
        around(0.1),
        others={
            "momentum": Choices((0.0, 0.9, 0.95)),
            "nesterov": Choices((False, True)),
            "weight_decay": LogUniform(1e-5, 1e-2),
        },
        use_when="You can tune a CNN's rate, momentum and decay; no step is cheaper.",
        not_when="The model is a transformer, or its layers' gradients differ in size.",
    )
    keras_twin = "SGD"

    @property
    def rests_without_gradient(self):
        return not any(slot.is_on(self._values) for slot in self.slots)

    def update(self, w, g, s, h, t):
        step = h.learning_rate * g
        if "v" not in s:
            return -step, s
        v = h.momentum * s.v - step
        return (h.momentum * v - step if h.nesterov else v), s.next(v=v)
