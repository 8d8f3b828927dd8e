"""Callbacks for `fit`, one per file."""

from keras_optlab.callbacks.average_model_checkpoint import AverageModelCheckpoint
from keras_optlab.callbacks.base import Callback, MetricCallback, StepCallback
from keras_optlab.callbacks.batch_ramp import BatchRamp
from keras_optlab.callbacks.early_stopping import EarlyStopping
from keras_optlab.callbacks.gradient_clipping import GradientClipping
from keras_optlab.callbacks.gradient_signals import GradientSignals
from keras_optlab.callbacks.gradual_unfreezing import GradualUnfreezing
from keras_optlab.callbacks.greedy_rate import GreedyRate
from keras_optlab.callbacks.hyperparameter_scheduler import HyperparameterScheduler
from keras_optlab.callbacks.monitor import Monitor
from keras_optlab.callbacks.qk_clip import QKClip
from keras_optlab.callbacks.rate_finder import RateFinder
from keras_optlab.callbacks.reduce_on_plateau import ReduceOnPlateau
from keras_optlab.callbacks.resume import Resume
from keras_optlab.callbacks.spike_guard import SpikeGuard
from keras_optlab.callbacks.tensorboard import TensorBoard
from keras_optlab.callbacks.time_stopping import TimeStopping
from keras_optlab.callbacks.track import Track
from keras_optlab.callbacks.validate import Validate
from keras_optlab.callbacks.weight_clipping import WeightClipping
from keras_optlab.core.renamed import show_public_names

__all__ = [
    "AverageModelCheckpoint",
    "BatchRamp",
    "Callback",
    "EarlyStopping",
    "GradientClipping",
    "GradientSignals",
    "GradualUnfreezing",
    "GreedyRate",
    "HyperparameterScheduler",
    "MetricCallback",
    "Monitor",
    "QKClip",
    "RateFinder",
    "ReduceOnPlateau",
    "Resume",
    "SpikeGuard",
    "StepCallback",
    "TensorBoard",
    "TimeStopping",
    "Track",
    "Validate",
    "WeightClipping",
]

show_public_names(globals())
