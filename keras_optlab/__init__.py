"""keras-optlab: the optimizer laboratory for Keras 3."""

from keras_optlab import (
    callbacks,
    constraints,
    datasets,
    optimizers,
    regularizers,
    schedules,
    transforms,
)
from keras_optlab._version import __version__
from keras_optlab.core import Group, layerwise_decay

__all__ = [
    "Group",
    "__version__",
    "callbacks",
    "constraints",
    "datasets",
    "layerwise_decay",
    "optimizers",
    "regularizers",
    "schedules",
    "transforms",
]
