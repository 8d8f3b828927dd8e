"""Schedules: a value, usually the learning rate, as a pure function of the step.

Every schedule is a `keras.optimizers.schedules.LearningRateSchedule` and works with the
optimizers of Keras as well as with those of this package. The rate comes first, then
`steps`, counted in updates; the first update is step 0.
"""

from keras_optlab.schedules.base import Schedule
from keras_optlab.schedules.cosine import Cosine
from keras_optlab.schedules.one_cycle import OneCycle
from keras_optlab.schedules.warmup import Warmup

__all__ = ["Cosine", "OneCycle", "Schedule", "Warmup"]
