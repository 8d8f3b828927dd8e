"""CAME."""

from keras import ops

from keras_optlab.core import (
    Beta,
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
from keras_optlab.core.numerics import ema, factored_root, maximum, mean, rms
from keras_optlab.core.slots import columns, rows, unfactored
from keras_optlab.engine import Optimizer


class CAME(Optimizer, family="memory-efficient"):
    r"""CAME: Adafactor with momentum divided by a factored deviation of the updates.

    With $\operatorname{root}(X)$ the root of $RC / \operatorname{mean} R$, from moving
    averages of the row means $R$ and the column means $C$ of $X$,

    $$u_t = \frac{g_t}{\operatorname{root}_{\beta_2}(g_t^2 + \epsilon_1)}, \qquad
      \hat u_t = \frac{u_t}{\max(1, \operatorname{RMS}(u_t) / d)}, \qquad
      m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, \hat u_t,$$
    $$\theta_t = \theta_{t-1} - \eta\, \frac{m_t}
      {\operatorname{root}_{\beta_3}((\hat u_t - m_t)^2 + \epsilon_2)}$$

    Vectors and scalars have an unfactored second moment and move by $\eta\, m_t$.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        beta_3: $\beta_3$ in [0, 1).
        epsilon_1: $\epsilon_1$ > 0.
        epsilon_2: $\epsilon_2$ > 0.
        clip_threshold: $d$ > 0, largest RMS of $\hat u_t$.
        **kwargs: Arguments of every `Optimizer`.

    Source: Luo et al., 2023, arXiv:2307.02047, Algorithm 2.

    >>> optimizer = CAME(2e-4, weight_decay=0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=2e-4)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    beta_3: FloatOrSchedule = Beta(default=0.9999, doc="decay β₃ of the instability")
    epsilon_1: FloatOrSchedule = Hyper(
        default=1e-30, doc="stabilizer ε₁ of the second moment"
    )
    epsilon_2: FloatOrSchedule = Hyper(
        default=1e-16, doc="stabilizer ε₂ of the instability"
    )
    clip_threshold: FloatOrSchedule = Hyper(default=1.0, doc="largest update RMS d")

    elementwise = False
    slots = (
        Slot("m"),
        Slot("rows", shape=rows),
        Slot("columns", shape=columns),
        Slot("instability_rows", shape=rows),
        Slot("instability_columns", shape=columns),
        Slot("v", shape=unfactored),
    )
    paper = Paper(
        "CAME: Confidence-guided adaptive memory efficient optimization",
        "Luo et al.",
        2023,
        "2307.02047",
    )
    tuning = Tuning(
        around(1e-3),
        others={"weight_decay": LogUniform(0.003, 0.3)},
        use_when="Large matrices need Adafactor's memory, but its steps are unsteady.",
        not_when="The momentum is what is too large: it keeps one for every weight.",
    )

    def update(self, w, g, s, h, t):
        squared = ops.square(g) + h.epsilon_1
        if "v" in s:
            s = s.next(v=ema(s.v, squared, h.beta_2))
            u = g / ops.sqrt(s.v)
        else:
            s = s.next(
                rows=ema(s.rows, mean(squared, -1), h.beta_2),
                columns=ema(s.columns, mean(squared, -2), h.beta_2),
            )
            u = g / factored_root(s.rows, s.columns)
        u = u / maximum(rms(u) / h.clip_threshold, 1.0)
        m = ema(s.m, u, h.beta_1)
        s = s.next(m=m)
        if "v" in s:
            return -h.learning_rate * m, s
        instability = ops.square(u - m) + h.epsilon_2
        r = ema(s.instability_rows, mean(instability, -1), h.beta_3)
        c = ema(s.instability_columns, mean(instability, -2), h.beta_3)
        s = s.next(instability_rows=r, instability_columns=c)
        return -h.learning_rate * m / factored_root(r, c), s
