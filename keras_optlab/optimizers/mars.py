"""MARS-AdamW."""

from keras import ops

from keras_optlab.core import (
    Beta,
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
from keras_optlab.core.numerics import ema, maximum, norm, one_minus_power
from keras_optlab.engine import Optimizer


class MARS(Optimizer, family="adaptive"):
    r"""MARS: AdamW on variance-reduced gradients, corrected by the last gradient.

    $$c_t = g_t + \gamma \frac{\beta_1}{1 - \beta_1} (g_t - g_{t-1}), \qquad
      \tilde c_t = c_t / \max(1, \|c_t\|),$$

    then as `Adam` with $\tilde c_t$ as the gradient and epsilon outside the root. By
    default, vectors and scalars take AdamW's step on $g_t$, with their own betas.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        gamma: $\gamma$ >= 0, the strength of the correction; 0 is AdamW on clipped
            gradients.
        vector_beta_1: $\beta_1$ for vectors and scalars, in [0, 1).
        vector_beta_2: $\beta_2$ for vectors and scalars, in [0, 1).
        matrices_only: Whether vectors and scalars get no correction.
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Yuan et al., 2024, arXiv:2411.10438, MARS-AdamW in its approximate form:
    $g_{t-1}$ is the last batch's gradient at the last weights. Defaults are the
    authors'.

    >>> optimizer = MARS(3e-3, weight_decay=0.1)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.003)
    beta_1: FloatOrSchedule = Beta(default=0.95, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.99, doc="second-moment decay rate β₂")
    gamma: FloatOrSchedule = Hyper(default=0.025, within=">= 0", doc="correction γ")
    vector_beta_1: FloatOrSchedule = Beta(default=0.9, doc="decay rate β₁ for vectors")
    vector_beta_2: FloatOrSchedule = Beta(default=0.95, doc="decay rate β₂ for vectors")
    matrices_only: bool = Flag(default=True, doc="correct matrices only")
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")

    elementwise = False
    slots = (Slot("m"), Slot("v", non_negative=True), Slot("g"))
    paper = Paper(
        "MARS: Unleashing the power of variance reduction for training large models",
        "Yuan et al.",
        2024,
        "2411.10438",
    )
    tuning = Tuning(
        around(0.01),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "gamma": LogUniform(0.005, 0.1),
        },
        use_when="AdamW suits the model, but noise between batches slows it down.",
        not_when="Batches differ in kind: the last gradient is a poor reference.",
    )

    def update(self, w, g, s, h, t):
        if h.matrices_only and len(w.shape) < 2:
            c, beta_1, beta_2 = g, h.vector_beta_1, h.vector_beta_2
        else:
            beta_1, beta_2 = h.beta_1, h.beta_2
            c = g + h.gamma * beta_1.value / (1 - beta_1) * (g - s.g)
            c = c / maximum(norm(c), 1.0)
        m = ema(s.m, c, beta_1)
        v = ema(s.v, ops.square(c), beta_2)
        m_hat, v_hat = m / one_minus_power(beta_1, t), v / one_minus_power(beta_2, t)
        u = -h.learning_rate * m_hat / (ops.sqrt(v_hat) + h.epsilon)
        return u, s.next(m=m, v=v, g=g)
