"""Exponential moving average of weights."""

from keras import ops

from keras_optlab.core import Beta, Choices, FloatOrSchedule, Paper, Slot, Tuning
from keras_optlab.core.numerics import ema
from keras_optlab.engine.wrapper import Wrapper


class EMA(Wrapper, family="averaging"):
    r"""EMA: exponential moving average of another optimizer's weights, for evaluation.

    $$a_t = \alpha\, a_{t-1} + (1 - \alpha)\, \theta_t, \qquad a_1 = \theta_1$$

    The inner optimizer trains the training weights $\theta$. A compiled model holds the
    evaluation weights $a$ whenever nothing trains, and within `fit` for validation,
    checkpoints and whatever else reads or saves weights.

    Moving statistics of normalization layers are averaged in the same way, at each
    update of a model that is compiled with the optimizer or attached to it.

    Args:
        optimizer: The inner optimizer, any keras_optlab `Optimizer`.
        average_decay: $\alpha$ in [0, 1).

    Source: Polyak and Juditsky (1992) for averages, here an exponential one. The
    option `use_ema` of every optimizer keeps the same average, but the model keeps the
    training weights until `fit` overwrites them at its end.

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
    tuning = Tuning(
        None,
        schedule="constant",
        others={"average_decay": Choices((0.9, 0.99, 0.999))},
        use_when="The last weights jitter, as in GANs or at a constant rate.",
        not_when="The rate decays to 0: the last weights are near their average.",
    )

    def average(self, a, w, h, t):
        return ops.where(t > 1, ema(a, w, h.average_decay), w)

    def after_step(self, w, s, h, t):
        return s.next(weight_average=self.average(s.weight_average, w, h, t))

    def to_evaluation(self, w, s, h):
        return s.weight_average, s.next(weight_average=w)

    to_training = to_evaluation
