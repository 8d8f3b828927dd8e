"""The algorithms, one a file."""

from keras_optlab.core.registry import create, info, names
from keras_optlab.engine import Optimizer
from keras_optlab.optimizers.adadelta import Adadelta
from keras_optlab.optimizers.adagrad import Adagrad
from keras_optlab.optimizers.adam import Adam
from keras_optlab.optimizers.adamax import Adamax
from keras_optlab.optimizers.adamw import AdamW
from keras_optlab.optimizers.ftrl import Ftrl
from keras_optlab.optimizers.lion import Lion
from keras_optlab.optimizers.momentum import Momentum
from keras_optlab.optimizers.nadam import Nadam
from keras_optlab.optimizers.rmsprop import RMSprop
from keras_optlab.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lion",
    "Momentum",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "create",
    "info",
    "names",
]
