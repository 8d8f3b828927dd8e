"""Adafactor."""

from keras import ops

from keras_optlab.core import (
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
from keras_optlab.core.numerics import (
    BetaTensor,
    ema,
    factored_root,
    maximum,
    mean,
    minimum,
    rms,
)
from keras_optlab.core.slots import columns, rows, unfactored
from keras_optlab.engine import Optimizer


class Adafactor(Optimizer, family="memory-efficient"):
    r"""Adafactor: RMSprop with the second moment factored into row and column means.

    With $\beta_t = 1 - t^c$ and $\hat g_t^2 = g_t^2 + \epsilon_1$, for matrices

    $$R_t = \beta_t R_{t-1} + (1 - \beta_t) \operatorname{mean}_j \hat g_t^2, \qquad
      C_t = \beta_t C_{t-1} + (1 - \beta_t) \operatorname{mean}_i \hat g_t^2, \qquad
      V_t = R_t C_t / \operatorname{mean} R_t,$$

    for vectors and scalars $V_t = \beta_t V_{t-1} + (1 - \beta_t) \hat g_t^2$, and

    $$u_t = \frac{g_t}{\sqrt{V_t}}, \qquad
      \hat u_t = \frac{u_t}{\max(1, \operatorname{RMS}(u_t) / d)}, \qquad
      \theta_t = \theta_{t-1} - \max(\epsilon_2, \operatorname{RMS}(\theta_{t-1}))
      \min(\eta, t^{-1/2})\, \hat u_t$$

    A tensor of more than two axes, such as a convolution kernel, is a stack of matrices
    over its last two axes.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_2_decay: $c$ < 0.
        epsilon_1: $\epsilon_1$ > 0.
        epsilon_2: $\epsilon_2$ >= 0, lower bound on the RMS of a tensor's weights.
        clip_threshold: $d$ > 0, largest RMS of $\hat u_t$.
        relative_step: Whether to cap the rate at $t^{-1/2}$, as in the paper.
        keras_compatible: Whether to cap the rate with `relative_step=False` too, as in
            Keras, where that argument has no effect. With both off, the rate is $\eta$.
        **kwargs: Arguments of every `Optimizer`.

    Source: Shazeer and Stern, 2018, arXiv:1804.04235, Algorithms 4 and 5. Keras' class
    computes the same numbers, but also stores the unfactored second moment and so saves
    no memory.

    >>> optimizer = Adafactor(0.01)
    >>> fixed = Adafactor(0.5, relative_step=False, keras_compatible=False)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_2_decay: FloatOrSchedule = Hyper(
        default=-0.8, within="< 0", doc="exponent c of the β schedule"
    )
    epsilon_1: FloatOrSchedule = Hyper(
        default=1e-30, doc="stabilizer ε₁ of the second moment"
    )
    epsilon_2: FloatOrSchedule = Hyper(
        default=1e-3, within=">= 0", doc="lower bound ε₂ on the RMS of the weights"
    )
    clip_threshold: FloatOrSchedule = Hyper(default=1.0, doc="largest update RMS d")
    relative_step: bool = Flag(default=True, doc="cap the rate at 1/√t")
    keras_compatible: bool = Flag(default=True, doc="always cap the rate", kw_only=True)

    elementwise = False
    slots = (
        Slot("rows", shape=rows),
        Slot("columns", shape=columns),
        Slot("v", shape=unfactored),
    )
    paper = Paper(
        "Adafactor: Adaptive learning rates with sublinear memory cost",
        "Shazeer and Stern",
        2018,
        "1804.04235",
    )
    tuning = Tuning(
        around(0.05),
        others={"weight_decay": LogUniform(1e-4, 0.01)},
        use_when="The model is large, and Adam's moments do not fit in memory.",
        not_when="Memory is no problem: AdamW has fewer rules for its step size.",
    )
    keras_twin = "Adafactor"

    def prepare(self, h, t, z):
        rate = h.learning_rate
        if h.relative_step or h.keras_compatible:
            rate = minimum(rate, 1 / ops.sqrt(t))
        return h.extend(rate=rate, beta_t=BetaTensor(ops.power(t, h.beta_2_decay))), z

    def update(self, w, g, s, h, t):
        squared = ops.square(g) + h.epsilon_1
        if "v" in s:
            s = s.next(v=ema(s.v, squared, h.beta_t))
            u = g / ops.sqrt(s.v)
        else:
            s = s.next(
                rows=ema(s.rows, mean(squared, -1), h.beta_t),
                columns=ema(s.columns, mean(squared, -2), h.beta_t),
            )
            u = g / factored_root(s.rows, s.columns)
        u = u / maximum(rms(u) / h.clip_threshold, 1.0)
        return -h.rate * maximum(rms(w), h.epsilon_2) * u, s
