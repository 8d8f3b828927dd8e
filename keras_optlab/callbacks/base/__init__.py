"""Bases of the callbacks, from Keras' callback up to those that watch a metric."""

from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.callbacks.base.metric import MetricCallback
from keras_optlab.callbacks.base.step import StepCallback

__all__ = ["Callback", "MetricCallback", "StepCallback"]
