"""NovoGrad."""

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
from keras_optlab.core.numerics import ema
from keras_optlab.engine import Optimizer


class NovoGrad(Optimizer, family="layer-wise"):
    r"""NovoGrad: momentum on gradients normalized by one second moment per tensor.

    With $v_1 = \|g_1\|^2$ and $m_1 = g_1 / (\sqrt{v_1} + \epsilon) + \lambda \theta_0$,

    $$v_t = \beta_2 v_{t-1} + (1 - \beta_2) \|g_t\|^2, \qquad
      m_t = \beta_1 m_{t-1} + \frac{g_t}{\sqrt{v_t} + \epsilon}
      + \lambda \theta_{t-1}, \qquad
      \theta_t = \theta_{t-1} - \eta\, m_t$$

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1); 0.98 is the paper's, where optax has 0.25 and
            TensorFlow Addons had 0.999.
        epsilon: $\epsilon$ >= 0.
        **kwargs: Arguments of every `Optimizer`; `weight_decay` is $\lambda$, added
            inside the momentum.

    Source: Ginsburg et al., 2019, arXiv:1905.11286, Algorithm 1.

    >>> optimizer = NovoGrad(0.01, weight_decay=0.001)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    beta_1: FloatOrSchedule = Beta(default=0.95, doc="momentum decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.98, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-8, within=">= 0", doc="stabilizer ε")

    elementwise = False
    decays_in_rule = True
    slots = (Slot("m"), Slot("v", shape="scalar"))
    paper = Paper(
        "Stochastic gradient methods with layer-wise adaptive moments for training of "
        "deep networks",
        "Ginsburg et al.",
        2019,
        "1905.11286",
    )
    tuning = Tuning(
        around(0.02),
        others={
            "weight_decay": LogUniform(1e-5, 1e-2),
            "beta_2": Choices((0.25, 0.98)),
        },
        use_when="Speech and image models at large rates, with half of Adam's memory.",
        not_when="You reuse AdamW's weight decay: here it goes through the momentum.",
    )

    def update(self, w, g, s, h, t):
        squared = ops.sum(ops.square(g))
        v = ops.where(t > 1, ema(s.v, squared, h.beta_2), squared)
        direction = g / (ops.sqrt(v) + h.epsilon)
        if h.weight_decay is not None:
            direction = direction + h.weight_decay * w
        m = h.beta_1 * s.m + direction
        return -h.learning_rate * m, s.next(m=m, v=v)
