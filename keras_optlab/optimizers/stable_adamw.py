"""StableAdamW."""

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
from keras_optlab.core.numerics import BetaTensor, ema, maximum, mean, one_minus_power
from keras_optlab.engine import Optimizer


class StableAdamW(Optimizer, family="adaptive"):
    r"""StableAdamW: AdamW with Adafactor's per-tensor update clipping.

    With $\hat\beta = \beta (1 - \beta^{t-1}) / (1 - \beta^t)$, which includes bias
    correction, and one rate $\eta_t$ per tensor,

    $$m_t = \hat\beta_1 m_{t-1} + (1 - \hat\beta_1) g_t, \qquad
      v_t = \hat\beta_2 v_{t-1} + (1 - \hat\beta_2) g_t^2,$$
    $$\eta_t = \eta \,/ \max\bigl(1, \operatorname{RMS}_t\bigr), \qquad
      \operatorname{RMS}_t^2 = \operatorname{mean}\,
      \frac{g_t^2}{\max(v_t, \epsilon^2)},$$
    $$\theta_t = \theta_{t-1} - \eta_t \lambda \theta_{t-1}
      - \eta_t\, m_t / (\sqrt{v_t} + \epsilon)$$

    Args:
        learning_rate: $\eta$ >= 0.
        weight_decay: $\lambda$ >= 0 or `None`, multiplied by $\eta_t$.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ > 0.
        **kwargs: Arguments of every `Optimizer`.

    Source: Wortsman et al., 2023, arXiv:2304.13013, Algorithm 2.

    >>> optimizer = StableAdamW(1e-3, beta_2=0.95)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    weight_decay: FloatOrSchedule | None = Hyper(
        default=0.01, within=">= 0", optional=True, doc="decoupled weight decay λ"
    )
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.99, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-6, doc="stabilizer ε")

    elementwise = False
    decays_in_rule = True
    slots = (Slot("m"), Slot("v", non_negative=True))
    paper = Paper(
        "Stable and low-precision training for large-scale vision-language models",
        "Wortsman et al.",
        2023,
        "2304.13013",
    )
    tuning = Tuning(
        around(3e-3),
        others={
            "weight_decay": LogUniform(0.003, 0.3),
            "beta_2": Choices((0.95, 0.99, 0.999)),
        },
        use_when="AdamW's loss has spikes: it shortens a tensor's sudden updates.",
        not_when="There are no spikes, or gradients are clipped: AdamW is simpler.",
    )

    def prepare(self, h, t, z):
        def debiased(beta):
            return BetaTensor((1 - beta) / one_minus_power(beta, t))

        return h.extend(beta_1=debiased(h.beta_1), beta_2=debiased(h.beta_2)), z

    def update(self, w, g, s, h, t):
        squared = ops.square(g)
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, squared, h.beta_2)
        rms = ops.sqrt(mean(squared / maximum(v, ops.square(h.epsilon))))
        direction = m / (ops.sqrt(v) + h.epsilon)
        if h.weight_decay is not None:
            direction = direction + h.weight_decay * w
        return -h.learning_rate / maximum(rms, 1.0) * direction, s.next(m=m, v=v)
