"""TensorBoard event files and their contents, written without TensorFlow."""

from keras_optlab.tensorboard.configuration import (
    check_hparams,
    configuration,
    hyperparameters,
)
from keras_optlab.tensorboard.constants import Constants
from keras_optlab.tensorboard.events import EventWriter
from keras_optlab.tensorboard.histograms import recorded_histograms, weight_histograms
from keras_optlab.tensorboard.kernels import kernel_image
from keras_optlab.tensorboard.layout import story
from keras_optlab.tensorboard.log import Log

__all__ = [
    "Constants",
    "EventWriter",
    "Log",
    "check_hparams",
    "configuration",
    "hyperparameters",
    "kernel_image",
    "recorded_histograms",
    "story",
    "weight_histograms",
]
