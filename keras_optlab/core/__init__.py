"""What all other modules use: arguments, slots, groups, errors and formulas."""

from keras_optlab.core.declared import Declared
from keras_optlab.core.fields import Beta, Choice, Flag, Hyper, Option
from keras_optlab.core.groups import Group
from keras_optlab.core.layerwise import layerwise_decay
from keras_optlab.core.mup import mup_groups, mup_initialize
from keras_optlab.core.paper import Paper
from keras_optlab.core.rates import FloatOrSchedule, LearningRate, LearningRateLike
from keras_optlab.core.slots import Slot
from keras_optlab.core.tuning import Choices, LogUniform, Tuning, Uniform, around
from keras_optlab.core.values import Values

__all__ = [
    "Beta",
    "Choice",
    "Choices",
    "Declared",
    "Flag",
    "FloatOrSchedule",
    "Group",
    "Hyper",
    "LearningRate",
    "LearningRateLike",
    "LogUniform",
    "Option",
    "Paper",
    "Slot",
    "Tuning",
    "Uniform",
    "Values",
    "around",
    "layerwise_decay",
    "mup_groups",
    "mup_initialize",
]
