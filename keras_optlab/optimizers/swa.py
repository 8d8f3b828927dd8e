"""Stochastic weight averaging."""

from keras import ops

from keras_optlab.core import FloatOrSchedule, Hyper, LogUniform, Paper, Slot, Tuning
from keras_optlab.core.periods import as_integer_period
from keras_optlab.engine.wrapper import Wrapper


class SWA(Wrapper, family="averaging"):
    r"""SWA: the equal-weight average of late training weights, for evaluation.

    Every $c$ updates from update $t_0$ on, with $n$ the number of weights averaged
    before,

    $$a \leftarrow \frac{n\, a + \theta_t}{n + 1}$$

    Before that, $a = \theta_t$. Train $\theta$ at a constant or cyclical rate; the
    model holds the evaluation weights $a$ as in `EMA`. Statistics of normalization
    layers are computed anew for $a$, by `refresh_normalization` within `fit`.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer`.
        average_from: $t_0$ >= 1, the first update of the average.
        average_period: $c$ >= 1 updates, often one epoch.

    Source: Izmailov et al., 2018, arXiv:1803.05407, Algorithm 1.

    >>> from keras_optlab import optimizers
    >>> optimizer = SWA(optimizers.SGD(0.05), average_from=1_000, average_period=100)
    """

    average_from: FloatOrSchedule = Hyper(
        default=1, within=">= 1", integer=True, doc="first update t₀ of the average"
    )
    average_period: FloatOrSchedule = Hyper(
        default=1, within=">= 1", integer=True, doc="updates c between averaged weights"
    )

    slots = (Slot("weight_average", init="weight"),)
    paper = Paper(
        "Averaging weights leads to wider optima and better generalization",
        "Izmailov et al.",
        2018,
        "1803.05407",
    )
    tuning = Tuning(
        None,
        schedule="constant",
        others={"average_from": LogUniform(20, 2000, integer=True)},
        use_when="Late in training the rate is constant or cycles: average the path.",
        not_when="The length is open: the average must not begin too early.",
    )

    def after_step(self, w, s, h, t):
        since = h.count - as_integer_period(h.average_from, h.count)
        period = as_integer_period(h.average_period, h.count)
        n = ops.cast(since // period, w.dtype)
        mean = s.weight_average + (w - s.weight_average) / (n + 1)
        later = ops.where(since % period == 0, mean, s.weight_average)
        average = ops.where(since > 0, later, w)
        return s.next(weight_average=average)

    def to_evaluation(self, w, s, h):
        return s.weight_average, s.next(weight_average=w)

    to_training = to_evaluation
