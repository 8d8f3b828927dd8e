"""The engine: makes update rules Keras optimizers, on every backend."""

from keras_optlab.engine.backend.fit_batches import FitBatches
from keras_optlab.engine.backend.fit_length import fit_length, when_made
from keras_optlab.engine.backend.keras_hooks import (
    around_fit,
    around_train_on_batch,
    fit_arguments,
    on_compile,
)
from keras_optlab.engine.backend.normalization import normalization_layers
from keras_optlab.engine.backend.trainer_adapter import set_first_epoch
from keras_optlab.engine.hyperparameters.adjustable import make_adjustable
from keras_optlab.engine.hyperparameters.checks import CLIPPINGS
from keras_optlab.engine.lookup import find_optimizer, optimizer_of
from keras_optlab.engine.model.device_copy import DeviceCopy
from keras_optlab.engine.model.first_weights import start_from_present_weights
from keras_optlab.engine.model.fit_span import check_span, span_fit
from keras_optlab.engine.model.hooks import (
    around_fit_of,
    before_looking,
    install,
    training,
)
from keras_optlab.engine.model.new_statistics import (
    are_outdated as statistics_are_outdated,
)
from keras_optlab.engine.model.new_statistics import begin as begin_statistics
from keras_optlab.engine.model.new_statistics import refresh as refresh_statistics
from keras_optlab.engine.model.rate_setters import refuse_rate_setters
from keras_optlab.engine.model.schedule_end import warn_of_schedule_end
from keras_optlab.engine.model.skip_warnings import watch_skips
from keras_optlab.engine.model.swapped_averages import extend_swap_ema_weights
from keras_optlab.engine.model.training_state import (
    TrainingState,
    build_for,
    layout_of,
    optimizer_configs,
    read_state,
    write_state,
)
from keras_optlab.engine.model.undisturbed import state_untouched, undisturbed
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.engine.saving.matching import strict_loading
from keras_optlab.engine.saving.nested_optimizers import patch_keras_wrappers
from keras_optlab.engine.statistics.histograms import Histogram, Histograms
from keras_optlab.engine.statistics.recorder import CAPACITY
from keras_optlab.engine.statistics.statistics import LayerStatistics, Statistics
from keras_optlab.engine.update.norm_guard import add_norm_guard, remove_norm_guard
from keras_optlab.engine.update.sections import count_apart
from keras_optlab.engine.wrapper import Wrapper

__all__ = [
    "CAPACITY",
    "CLIPPINGS",
    "DeviceCopy",
    "FitBatches",
    "Histogram",
    "Histograms",
    "LayerStatistics",
    "Optimizer",
    "Statistics",
    "TrainingState",
    "Wrapper",
    "add_norm_guard",
    "around_fit",
    "before_looking",
    "begin_statistics",
    "build_for",
    "count_apart",
    "find_optimizer",
    "fit_arguments",
    "fit_length",
    "layout_of",
    "make_adjustable",
    "normalization_layers",
    "optimizer_configs",
    "optimizer_of",
    "read_state",
    "refresh_statistics",
    "remove_norm_guard",
    "set_first_epoch",
    "state_untouched",
    "statistics_are_outdated",
    "strict_loading",
    "undisturbed",
    "when_made",
    "write_state",
]

# The constructor of an optimizer would be too late for these hooks: in
# `model.compile(SAM(...))` Python looks up `compile` before it calls the constructor.
on_compile(install)
around_fit(around_fit_of)
around_train_on_batch(training)
around_train_on_batch(check_span)
patch_keras_wrappers()
extend_swap_ema_weights()
around_fit(start_from_present_weights)
around_fit(watch_skips)
around_fit(warn_of_schedule_end)
around_fit(span_fit)
around_fit(refuse_rate_setters)
