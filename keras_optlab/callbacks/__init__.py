"""Callbacks for `fit`."""

from keras_optlab.callbacks.early_stopping import EarlyStopping
from keras_optlab.callbacks.tensorboard import TensorBoard

__all__ = ["EarlyStopping", "TensorBoard"]
