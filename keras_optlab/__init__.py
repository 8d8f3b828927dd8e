"""keras-optlab: the optimizer laboratory for Keras 3."""

from keras_optlab import (
    callbacks,
    constraints,
    datasets,
    finders,
    optimizers,
    regularizers,
    schedules,
    transforms,
)
from keras_optlab._version import __version__
from keras_optlab.core import Group, layerwise_decay
from keras_optlab.finders import find_rate
from keras_optlab.full_batch import fit_full_batch

__all__ = [
    "Group",
    "__version__",
    "callbacks",
    "constraints",
    "datasets",
    "find_rate",
    "finders",
    "fit_full_batch",
    "layerwise_decay",
    "optimizers",
    "regularizers",
    "schedules",
    "transforms",
]
