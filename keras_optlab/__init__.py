"""keras-optlab: the optimizer laboratory for Keras 3."""

from keras_optlab import (
    averaging,
    callbacks,
    constraints,
    datasets,
    finders,
    optimizers,
    plotting,
    recipes,
    regularizers,
    schedules,
    stopping,
    transforms,
)
from keras_optlab._version import __version__
from keras_optlab.averaging import refresh_normalization, soup
from keras_optlab.core import Group, layerwise_decay
from keras_optlab.diagnosis import diagnose
from keras_optlab.finders import find_batch_size, find_rate, tune_execution
from keras_optlab.full_batch import fit_full_batch
from keras_optlab.plotting import plot_history

__all__ = [
    "Group",
    "__version__",
    "averaging",
    "callbacks",
    "constraints",
    "datasets",
    "diagnose",
    "find_batch_size",
    "find_rate",
    "finders",
    "fit_full_batch",
    "layerwise_decay",
    "optimizers",
    "plot_history",
    "plotting",
    "recipes",
    "refresh_normalization",
    "regularizers",
    "schedules",
    "soup",
    "stopping",
    "transforms",
    "tune_execution",
]
