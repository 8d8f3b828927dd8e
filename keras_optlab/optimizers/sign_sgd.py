"""Sign gradient descent."""

from keras import ops

from keras_optlab.core import (
    LearningRate,
    LearningRateLike,
    LogUniform,
    Paper,
    Tuning,
    around,
)
from keras_optlab.engine import Optimizer


class SignSGD(Optimizer, family="sign"):
    r"""signSGD: the sign of the gradient times the learning rate.

    $$\theta_t = \theta_{t-1} - \eta \operatorname{sign}(g_t)$$

    Args:
        learning_rate: $\eta$ >= 0, by which every weight moves.
        **kwargs: Arguments of every `Optimizer`.

    Source: Bernstein, Wang, Azizzadenesheli and Anandkumar, 2018, arXiv:1802.04434,
    Algorithm 1.

    >>> optimizer = SignSGD(1e-4)
    """

    learning_rate: LearningRateLike = LearningRate(default=1e-3)

    paper = Paper(
        "signSGD: Compressed optimisation for non-convex problems",
        "Bernstein, Wang, Azizzadenesheli and Anandkumar",
        2018,
        "1802.04434",
    )
    tuning = Tuning(
        around(2e-3),
        others={"weight_decay": LogUniform(0.01, 1.0)},
        use_when="There is no memory for state, or gradients are sent as signs.",
        not_when="Batches are small: noise decides the signs. Signum averages first.",
    )

    @property
    def rests_without_gradient(self):
        return True

    def update(self, w, g, s, h, t):
        return -h.learning_rate * ops.sign(g), s
