"""Power-function average of weights."""

from keras import ops

from keras_optlab.core import Choices, FloatOrSchedule, Hyper, Paper, Slot, Tuning
from keras_optlab.engine.wrapper import Wrapper


class PowerEMA(Wrapper, family="averaging"):
    r"""PowerEMA: average over the last share of a training, for evaluation.

    $$a_t = \beta_t a_{t-1} + (1 - \beta_t)\, \theta_t, \qquad
      \beta_t = \left(1 - \frac{1}{t}\right)^{\gamma + 1}$$

    so that $\theta_\tau$ has about the weight $\tau^\gamma$. The window of an `EMA` has
    a fixed length; this one grows with the training: the last $1 - 2^{-1/(\gamma+1)}$
    of all updates have half of the weight, 8% for the default. The first half of the
    training counts $2^{-(\gamma+1)}$, 0.4%, so the average needs no start. The model
    holds the evaluation weights $a$ as in `EMA`, with averaged normalization
    statistics.

    | $\gamma$ | width $\sigma_{rel}$ of the window, as a share of the training |
    |---|---|
    | 16.97 | 0.05 |
    | 6.94 | 0.10 |
    | 3.56 | 0.15 |
    | 0 | 0.29: the mean of all weights |

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer`.
        tail_power: $\gamma$ >= 0.

    Source: Karras et al., 2024, arXiv:2312.02696, section 3.1. The polynomial-decay
    averaging of Shamir and Zhang, 2013, arXiv:1212.1824, has the weight
    $1 - \beta_t = (\gamma + 1) / (t + \gamma)$, the same to first order in $1/t$, and
    an optimal rate of convergence for SGD on strongly convex functions.

    >>> from keras_optlab import optimizers
    >>> optimizer = PowerEMA(optimizers.AdamW(1e-3), tail_power=16.97)
    """

    tail_power: FloatOrSchedule = Hyper(
        default=6.94, within=">= 0", doc="power γ of the weights' weights"
    )

    slots = (Slot("weight_average", init="weight"),)
    paper = Paper(
        "Analyzing and improving the training dynamics of diffusion models",
        "Karras et al.",
        2024,
        "2312.02696",
    )
    tuning = Tuning(
        None,
        schedule="constant",
        others={"tail_power": Choices((3.56, 6.94, 16.97))},
        use_when="The best length of an average is unknown: its window grows.",
        not_when="Data change over time: a growing window holds old weights.",
    )

    def average(self, a, w, h, t):
        new = -ops.expm1((h.tail_power + 1) * ops.log1p(-1 / t))  # 1 - β, exact
        return new * w + (1 - new) * a

    def after_step(self, w, s, h, t):
        return s.next(weight_average=self.average(s.weight_average, w, h, t))

    def to_evaluation(self, w, s, h):
        return s.weight_average, s.next(weight_average=w)

    to_training = to_evaluation
