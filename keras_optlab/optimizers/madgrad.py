"""MADGRAD."""

from keras import ops

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
    around,
)
from keras_optlab.engine import Optimizer


class MADGRAD(Optimizer, family="adaptive"):
    r"""MADGRAD: dual averaging with a cube-root denominator, and momentum.

    With $\lambda_t = (\eta + \epsilon) \sqrt t$,

    $$s_t = s_{t-1} + \lambda_t g_t, \qquad n_t = n_{t-1} + \lambda_t g_t^2, \qquad
      z_t = \theta_0 - \frac{s_t}{\sqrt[3]{n_t} + \epsilon},$$
    $$\theta_t = \beta\, \theta_{t-1} + (1 - \beta)\, z_t$$

    Each step starts from the initial weights $\theta_0$, so weight decay works against
    it. The authors advise no weight decay or a much smaller one.

    Args:
        learning_rate: $\eta$ >= 0.
        momentum: $\beta$ in [0, 1).
        epsilon: $\epsilon$ >= 0; also added to the rate, as in the authors' code.
        **kwargs: Arguments of every `Optimizer`.

    Source: Defazio and Jelassi, 2021, arXiv:2101.11075, Algorithm 1; its $c$ is
    $1 - \beta$.

    >>> optimizer = MADGRAD(0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)
    momentum: FloatOrSchedule = Beta(default=0.9, doc="momentum β")
    epsilon: FloatOrSchedule = Hyper(default=1e-6, within=">= 0", doc="stabilizer ε")

    slots = (
        Slot("s"),
        Slot("n", non_negative=True),
        Slot("start", init="weight", constant=True),
    )
    paper = Paper(
        "Adaptivity without compromise: A momentumized, adaptive, dual averaged "
        "gradient method for stochastic optimization",
        "Defazio and Jelassi",
        2021,
        "2101.11075",
    )
    tuning = Tuning(
        around(0.01),
        others={"momentum": Choices((0.8, 0.9, 0.95))},
        use_when="Adagrad suits the data, and momentum should help.",
        not_when="Weight decay matters: steps start from initial weights, undoing it.",
    )

    def prepare(self, h, t, z):
        return h.extend(lambda_t=(h.learning_rate + h.epsilon) * ops.sqrt(t)), z

    def update(self, w, g, s, h, t):
        total = s.s + h.lambda_t * g
        n = s.n + h.lambda_t * ops.square(g)
        z = s.start - total / (ops.power(n, 1 / 3) + h.epsilon)
        return (1 - h.momentum) * (z - w), s.next(s=total, n=n)
