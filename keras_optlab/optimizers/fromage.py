"""Fromage."""

from keras import ops

from keras_optlab.core import LearningRate, LearningRateLike, Paper, Tuning, around
from keras_optlab.core.numerics import norm, trust_ratio
from keras_optlab.engine import Optimizer


class Fromage(Optimizer, family="layer-wise"):
    r"""Fromage: gradient rescaled per tensor to a fixed fraction of the weight norm.

    $$\theta_t = \frac{1}{\sqrt{1 + \eta^2}} \Bigl[\theta_{t-1}
      - \eta\, \frac{\|\theta_{t-1}\|}{\|g_t\|}\, g_t\Bigr]$$

    If either norm is zero, as for a new bias, the ratio is 1, as in the authors' code;
    optax gives such a bias a norm of 1e-6, with which it stays near 0.

    Args:
        learning_rate: $\eta$ >= 0, the fraction; one value works for most networks.
        **kwargs: Arguments of every `Optimizer`.

    Source: Bernstein, Vahdat, Yue and Liu, 2020, arXiv:2002.03432, Algorithm 1.

    >>> optimizer = Fromage(0.01)
    """

    learning_rate: LearningRateLike = LearningRate(default=0.01)

    elementwise = False
    paper = Paper(
        "On the distance between two neural networks and the stability of learning",
        "Bernstein, Vahdat, Yue and Liu",
        2020,
        "2002.03432",
    )
    tuning = Tuning(
        around(0.05),
        use_when="One rate should suit networks of many sizes, GANs among them.",
        not_when="Norms of weights must change: steps are a fixed share of them.",
    )

    def update(self, w, g, s, h, t):
        step = h.learning_rate * trust_ratio(norm(w), norm(g)) * g
        return (w - step) / ops.sqrt(1 + ops.square(h.learning_rate)) - w, s
