"""Moving average of weights."""

from keras import ops

from keras_optlab.core import Beta, FloatOrSchedule, Paper, Slot
from keras_optlab.core.numerics import ema
from keras_optlab.engine.wrapper import Wrapper


class EMA(Wrapper):
    r"""EMA: an exponential moving average of the weights is what is evaluated.

    $$a_t = \alpha\, a_{t-1} + (1 - \alpha)\, \theta_t, \qquad a_1 = \theta_1$$

    and the inner optimizer goes on from $\theta_t$. In a compiled model the weights are
    $a$ whenever nothing trains, and for `evaluate`, `predict`, validation and whatever
    saves or reads weights within `fit`. Statistics of batch normalization are those of
    $\theta$.

    Args:
        optimizer: The inner optimizer, any of ours.
        average_decay: $\alpha$ in [0, 1).

    Source: Polyak and Juditsky (1992) for averages, here with weights that fall. The
    option `use_ema` of every optimizer keeps the same average, leaves the weights as
    they are until the end of `fit`, and then overwrites them.

    >>> from keras_optlab import optimizers
    >>> optimizer = EMA(optimizers.AdamW(1e-3), average_decay=0.99)
    """

    average_decay: FloatOrSchedule = Beta(default=0.99, doc="decay α of the average")

    slots = (Slot("weight_average", init="weight"),)
    paper = Paper(
        "Acceleration of stochastic approximation by averaging",
        "Polyak and Juditsky",
        1992,
    )

    def after_step(self, w, s, h, t):
        mean = ema(s.weight_average, w, h.average_decay)
        return s.next(weight_average=ops.where(t > 1, mean, w))

    def to_evaluation(self, w, s, h):
        return s.weight_average, s.next(weight_average=w)

    to_training = to_evaluation
