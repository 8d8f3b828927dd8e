"""Detecting spikes of a loss or a gradient norm, and deciding what to do about them."""

from keras_optlab.spikes.batch_losses import BatchLosses
from keras_optlab.spikes.first_non_finite import (
    NonFinite,
    first_non_finite,
    non_finite_data,
    traced,
)
from keras_optlab.spikes.judge import Accident, Execution, Judge
from keras_optlab.spikes.outliers import Outliers
from keras_optlab.spikes.stages import Action, Stages

__all__ = [
    "Accident",
    "Action",
    "BatchLosses",
    "Execution",
    "Judge",
    "NonFinite",
    "Outliers",
    "Stages",
    "first_non_finite",
    "non_finite_data",
    "traced",
]
