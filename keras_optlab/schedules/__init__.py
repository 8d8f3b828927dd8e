"""Schedules: a value, usually the learning rate, as a pure function of the step.

Every schedule is a `keras.optimizers.schedules.LearningRateSchedule` and works in the
optimizers of Keras and of this package. Optimizers of this package take a schedule for
every adjustable hyperparameter, such as a weight decay, a momentum or a threshold. The
rate is the first argument. Then comes the length: `steps`, in updates or as a share of
the training, or the keywords `epochs` and `steps_per_epoch`. The first update is step
0.

Without a length, a schedule spans the training: `Cosine(1e-3)` falls from the first
update of the running `fit` to its last one. This needs an optimizer of this package.
"""

from keras_optlab.core.renamed import show_public_names
from keras_optlab.schedules.base import Scaled, Schedule, Timed
from keras_optlab.schedules.beta_warmup import BetaWarmup
from keras_optlab.schedules.constant import Constant
from keras_optlab.schedules.cosine import Cosine
from keras_optlab.schedules.cosine_restarts import CosineRestarts
from keras_optlab.schedules.cyclical import Cyclical
from keras_optlab.schedules.exponential import Exponential
from keras_optlab.schedules.inverse_sqrt import InverseSqrt
from keras_optlab.schedules.inverse_time import InverseTime
from keras_optlab.schedules.join import Join
from keras_optlab.schedules.linear import Linear
from keras_optlab.schedules.one_cycle import OneCycle
from keras_optlab.schedules.piecewise import Piecewise
from keras_optlab.schedules.polynomial import Polynomial
from keras_optlab.schedules.power_cool import PowerCool
from keras_optlab.schedules.rex import Rex
from keras_optlab.schedules.warmup import Warmup
from keras_optlab.schedules.warmup_stable_decay import WarmupStableDecay

__all__ = [
    "BetaWarmup",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Cyclical",
    "Exponential",
    "InverseSqrt",
    "InverseTime",
    "Join",
    "Linear",
    "OneCycle",
    "Piecewise",
    "Polynomial",
    "PowerCool",
    "Rex",
    "Scaled",
    "Schedule",
    "Timed",
    "Warmup",
    "WarmupStableDecay",
]

show_public_names(globals())
