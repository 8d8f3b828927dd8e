"""Rprop."""

from keras import ops

from keras_optlab.core import (
    FloatOrSchedule,
    Hyper,
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Slot,
    Tuning,
    Uniform,
    around,
)
from keras_optlab.core.numerics import maximum, minimum
from keras_optlab.engine import Optimizer


class Rprop(Optimizer, family="sign"):
    r"""Rprop: sign updates with per-weight step sizes that grow while signs persist.

    $$\Delta_t = \operatorname{clip}(\Delta_{t-1} \cdot \{\eta^+, \eta^-, 1\},
      \Delta_{\min}, \Delta_{\max})
      \quad\text{as}\quad g_{t-1} g_t \;\{> 0, < 0, = 0\},$$
    $$\theta_t = \theta_{t-1} - \Delta_t \operatorname{sign}(g_t)$$

    A gradient entry that has changed its sign counts as 0, in this step and the next.
    Use full batches: noise changes signs.

    Args:
        learning_rate: $\Delta_0$ > 0, the initial size. Later changes have no effect.
        eta_minus: $\eta^-$ in (0, 1).
        eta_plus: $\eta^+$ > 1.
        min_step: $\Delta_{\min}$ > 0.
        max_step: $\Delta_{\max}$ > 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Riedmiller and Braun (1993), in the form without backtracking (Igel and
    Hüsken, 2000, iRprop-), as in torch. optax 0.2.8 takes each step one update
    late.

    >>> optimizer = Rprop(0.01, max_step=1.0)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    eta_minus: FloatOrSchedule = Hyper(default=0.5, within="(0, 1)", doc="decrease η⁻")
    eta_plus: FloatOrSchedule = Hyper(default=1.2, within="> 1", doc="increase η⁺")
    min_step: FloatOrSchedule = Hyper(default=1e-6, doc="smallest step size")
    max_step: FloatOrSchedule = Hyper(default=50.0, doc="largest step size")

    slots = (Slot("step", non_negative=True), Slot("g"))
    paper = Paper(
        "A direct adaptive method for faster backpropagation learning: The RPROP "
        "algorithm",
        "Riedmiller and Braun",
        1993,
    )
    tuning = Tuning(
        around(3e-3),
        schedule="constant",
        others={
            "eta_plus": Uniform(1.05, 1.3),
            "max_step": LogUniform(1e-3, 1.0),
        },
        use_when="All data are one batch, as with small tables or physical models.",
        not_when="Batches are samples: noise flips signs, and steps collapse.",
    )

    def update(self, w, g, s, h, t):
        same = ops.sign(g * s.g)
        factor = ops.where(same > 0, h.eta_plus, ops.where(same < 0, h.eta_minus, 1.0))
        last = ops.where(t > 1, s.step, h.learning_rate)
        step = minimum(maximum(last * factor, h.min_step), h.max_step)
        g = ops.where(same < 0, 0.0, g)
        return -step * ops.sign(g), s.next(step=step, g=g)
