"""Aggregated momentum."""

from keras_optlab.core import (
    Beta,
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


class AggMo(Optimizer, family="momentum"):
    r"""AggMo: SGD with the average of three momentum buffers of different damping.

    $$v_t^{(i)} = \beta_i v_{t-1}^{(i)} + g_t, \qquad
      \theta_t = \theta_{t-1} - \frac{\eta}{K} \sum_{i=1}^K v_t^{(i)}, \qquad K = 3$$

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1); 0 keeps no state.
        beta_2: $\beta_2$ in [0, 1); 0 keeps no state.
        beta_3: $\beta_3$ in [0, 1); 0 keeps no state.
        **kwargs: Arguments of every `Optimizer`.

    Source: Lucas, Sun, Zemel and Grosse, 2018, arXiv:1804.00325, with its three
    recommended damping factors.

    >>> optimizer = AggMo(0.1, beta_3=0.999)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    beta_1: FloatOrSchedule = Beta(default=0.0, doc="damping β₁")
    beta_2: FloatOrSchedule = Beta(default=0.9, doc="damping β₂")
    beta_3: FloatOrSchedule = Beta(default=0.99, doc="damping β₃")

    slots = (
        Slot("v_1", when="beta_1"),
        Slot("v_2", when="beta_2"),
        Slot("v_3", when="beta_3"),
    )
    paper = Paper(
        "Aggregated momentum: Stability through passive damping",
        "Lucas, Sun, Zemel and Grosse",
        2018,
        "1804.00325",
    )
    tuning = Tuning(
        around(0.03),
        others={
            "beta_3": Choices((0.95, 0.99, 0.999)),
            "weight_decay": LogUniform(1e-5, 1e-2),
        },
        use_when="High momentum oscillates: here fast momentum damps the slow one.",
        not_when="SGD with momentum already trains calmly, in one slot instead of two.",
    )

    def update(self, w, g, s, h, t):
        betas = {"v_1": h.beta_1, "v_2": h.beta_2, "v_3": h.beta_3}
        v = {
            name: beta * getattr(s, name) + g
            for name, beta in betas.items()
            if name in s
        }
        total = sum(v.values()) + (len(betas) - len(v)) * g
        return -h.learning_rate / len(betas) * total, s.next(**v)
