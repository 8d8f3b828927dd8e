"""Quasi-hyperbolic momentum."""

from keras_optlab.core import (
    Beta,
    Choices,
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    Paper,
    Slot,
    Tuning,
    Uniform,
    around,
)
from keras_optlab.core.numerics import ema
from keras_optlab.engine import Optimizer


class QHM(Optimizer, family="momentum"):
    r"""QHM: a weighted average of a plain SGD step and a momentum step.

    $$m_t = \beta m_{t-1} + (1 - \beta) g_t, \qquad
      \theta_t = \theta_{t-1} - \eta\, [(1 - \nu)\, g_t + \nu\, m_t]$$

    $\nu = 0$ is gradient descent, $\nu = 1$ momentum as a moving average, and
    $\nu = \beta$ Nesterov momentum.

    Args:
        learning_rate: $\eta$ >= 0. $m_t$ is an average, so choose
            $1 / (1 - \beta)$ times the rate of `SGD(momentum=...)`; the paper has 1.
        momentum: $\beta$ in [0, 1).
        nu: $\nu$ in [0, 1].
        **kwargs: Arguments of every `Optimizer`.

    Source: Ma and Yarats, 2018, arXiv:1810.06801; its rule of thumb for $\beta$ and
    $\nu$ is the default.

    >>> nesterov = QHM(1.0, momentum=0.9, nu=0.9)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.1)
    momentum: FloatOrSchedule = Beta(default=0.999, doc="momentum decay rate β")
    nu: FloatOrSchedule = Hyper(default=0.7, within="[0, 1]", doc="momentum weight ν")

    slots = (Slot("m"),)
    paper = Paper(
        "Quasi-hyperbolic momentum and Adam for deep learning",
        "Ma and Yarats",
        2018,
        "1810.06801",
    )
    tuning = Tuning(
        around(1.0),
        others={
            "momentum": Choices((0.9, 0.99, 0.999)),
            "nu": Uniform(0.5, 0.9),
        },
        use_when="Very long momentum should help SGD without making it unstable.",
        not_when="You reuse SGD's rate: this one is 1 / (1 - momentum) times as large.",
    )

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.momentum)
        return -h.learning_rate * ((1 - h.nu) * g + h.nu * m), s.next(m=m)
