"""What TensorBoard reads, written without TensorFlow."""

from keras_optlab.tensorboard.configuration import configuration
from keras_optlab.tensorboard.events import EventWriter
from keras_optlab.tensorboard.log import Log

__all__ = ["EventWriter", "Log", "configuration"]
