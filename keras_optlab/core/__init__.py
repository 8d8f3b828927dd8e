"""The vocabulary every other room speaks: fields, slots, groups, errors, numerics."""

from keras_optlab.core.declared import Declared
from keras_optlab.core.fields import Choice, Decay, Flag, Hyper, Option
from keras_optlab.core.groups import Group
from keras_optlab.core.layerwise import layerwise_decay
from keras_optlab.core.paper import Paper
from keras_optlab.core.rates import Driven, Rate, StepSize
from keras_optlab.core.records import Record
from keras_optlab.core.slots import Slot

__all__ = [
    "Choice",
    "Decay",
    "Declared",
    "Driven",
    "Flag",
    "Group",
    "Hyper",
    "Option",
    "Paper",
    "Rate",
    "Record",
    "Slot",
    "StepSize",
    "layerwise_decay",
    "layerwise_decay",
]
