"""LAMB."""

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
from keras_optlab.core.numerics import ema, norm, one_minus_power, trust_ratio
from keras_optlab.engine import Optimizer


class Lamb(Optimizer, family="layer-wise"):
    r"""LAMB: Adam with each tensor's step rescaled to the norm of its weights.

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,$$
    $$u_t = \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}
      + \lambda \theta_{t-1}, \qquad
      \theta_t = \theta_{t-1} - \eta\, \frac{\|\theta_{t-1}\|}{\|u_t\|}\, u_t$$

    If either norm is zero, as for a new bias, the ratio is 1.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ >= 0; 1e-7 as in Keras, where others have 1e-6.
        keras_compatible: Whether weight decay stays outside the ratio, as in Keras but
            not in the paper.
        **kwargs: Arguments of every `Optimizer`; `weight_decay` is $\lambda$.

    Source: You et al., 2019, arXiv:1904.00962, Algorithm 2, with $\phi(x) = x$ as in
    the experiments. pytorch_optimizer 4.1 does not correct the bias of $v_t$.

    >>> optimizer = Lamb(0.002, weight_decay=0.01, decay_mask="matrices")
    """

    learning_rate: LearningRateLike = LearningRate(default=0.001)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-7, within=">= 0", doc="stabilizer ε")
    keras_compatible: bool = Flag(default=False, doc="weight decay outside the ratio")

    elementwise = False
    decays_in_rule = True
    slots = (Slot("m"), Slot("v", non_negative=True))
    paper = Paper(
        "Large batch optimization for deep learning: Training BERT in 76 minutes",
        "You et al.",
        2019,
        "1904.00962",
    )
    tuning = Tuning(
        around(0.01),
        others={"weight_decay": LogUniform(0.003, 0.3)},
        use_when="Batches are very large: a layer moves in proportion to its norm.",
        not_when="Batches have a usual size: AdamW needs no ratio of norms.",
    )
    keras_twin = "Lamb"

    def prepare(self, h, t, z):
        bias_1, bias_2 = one_minus_power(h.beta_1, t), one_minus_power(h.beta_2, t)
        return h.extend(bias_1=bias_1, bias_2=bias_2), z

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        v = ema(s.v, ops.square(g), h.beta_2)
        u = m / h.bias_1 / (ops.sqrt(v / h.bias_2) + h.epsilon)
        apart = 0.0
        if h.weight_decay is not None and h.keras_compatible:
            apart = -h.learning_rate * h.weight_decay * w
        elif h.weight_decay is not None:
            u = u + h.weight_decay * w
        ratio = trust_ratio(norm(w + apart), norm(u))
        return apart - h.learning_rate * ratio * u, s.next(m=m, v=v)
