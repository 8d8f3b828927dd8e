"""AdaHessian."""

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
from keras_optlab.core.curvature import hessian_diagonal
from keras_optlab.core.numerics import ema, mean, one_minus_power
from keras_optlab.engine import Optimizer


def averaged(weight):
    """Return the shape of the averaged diagonal: one entry per convolution kernel."""
    shape = weight.shape
    return (*(1 for _ in shape[:-2]), *shape[-2:])


class AdaHessian(Optimizer, family="curvature"):
    r"""AdaHessian: Adam with squared Hessian-diagonal estimates in the second moment.

    With $D = |z \odot H z|$ for a random sign vector $z$, averaged over each
    convolution kernel,

    $$m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad
      v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, D_t^2$$

    $$\theta_t = \theta_{t-1} - \eta\,
      \frac{m_t / (1 - \beta_1^t)}{(v_t / (1 - \beta_2^t))^{k/2} + \epsilon}$$

    $H$ is the Hessian of the same batch's loss. A train step takes about three times as
    long as Adam's. It trains models by `compile` and `fit` only, and not under a
    `tf.distribute` strategy.

    Args:
        learning_rate: $\eta$ >= 0.
        beta_1: $\beta_1$ in [0, 1).
        beta_2: $\beta_2$ in [0, 1).
        epsilon: $\epsilon$ > 0.
        hessian_power: $k$ in (0, 1].
        seed: An integer >= 0, for $z$.
        **kwargs: Arguments of every `Optimizer`.

    Source: Yao et al., 2020, arXiv:2006.00719, Algorithm 1; defaults are those of the
    authors' code for images.

    >>> optimizer = AdaHessian(0.15)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.15)
    beta_1: FloatOrSchedule = Beta(default=0.9, doc="first-moment decay rate β₁")
    beta_2: FloatOrSchedule = Beta(default=0.999, doc="second-moment decay rate β₂")
    epsilon: FloatOrSchedule = Hyper(default=1e-4, doc="stabilizer ε")
    hessian_power: FloatOrSchedule = Hyper(default=1.0, within="(0, 1]", doc="power k")
    seed: int = Hyper(
        default=0, within=">= 0", integer=True, adjustable=False, doc="seed of z"
    )

    slots = (Slot("m"), Slot("v", shape=averaged, short=True))
    elementwise = False
    paper = Paper(
        "ADAHESSIAN: An adaptive second order optimizer for machine learning",
        "Yao et al.",
        2020,
        "2006.00719",
    )
    tuning = Tuning(
        around(0.1),
        others={
            "hessian_power": Choices((0.5, 1.0)),
            "weight_decay": LogUniform(1e-4, 0.01),
        },
        use_when="Curvature differs by layer, and a step may cost three of Adam's.",
        not_when="Seconds count, or you have a loop of your own: it needs `fit`.",
    )

    def second_pass(self, batch, ws, gs, s, h, t):
        def squared(d):
            kernel = tuple(range(len(d.shape) - 2))
            d = mean(ops.abs(d), kernel, keepdims=True) if kernel else d
            return ops.square(d)

        diagonals = hessian_diagonal(batch, ws, h.seed, h.count)
        return gs, [
            x.next(v=ema(x.v, squared(d), h.beta_2))
            for x, d in zip(s, diagonals, strict=True)
        ]

    def update(self, w, g, s, h, t):
        m = ema(s.m, g, h.beta_1)
        m_hat = m / one_minus_power(h.beta_1, t)
        v_hat = s.v / one_minus_power(h.beta_2, t)
        scale = ops.power(v_hat, h.hessian_power / 2) + h.epsilon
        return -h.learning_rate * m_hat / scale, s.next(m=m)
