"""Averages of normalization statistics, updated with the averages of weights."""

from __future__ import annotations

import keras
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.keras_adapter import in_stateless_scope
from keras_optlab.engine.backend.variables import Pairs
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.hyperparameters.per_step import StepHyperparameters
from keras_optlab.engine.update.moving_average import moved


def averages_in_step(optimizer: BuiltOptimizer, scalars: StepHyperparameters) -> Pairs:
    """Return the next averages of the statistics within an update.

    Not within Keras' `stateless_apply`, which does not know the model's statistics:
    there the train step continues the averages (`engine/model/statistics_on_jax.py`).
    """
    return [] if in_stateless_scope() else next_averages(optimizer, scalars)


def next_averages(optimizer: BuiltOptimizer, scalars: StepHyperparameters) -> Pairs:
    """Return the next averages of the statistics, by the rule for the weights."""
    done, t = scalars.done, scalars.t

    def by_rule(group: int, mean: Tensor, now: Tensor) -> Tensor:
        dtype = keras.backend.standardize_dtype(mean.dtype)
        h = scalars.h[group].cast(dtype)
        return optimizer.average(mean, now, h, ops.cast(t, dtype))

    def by_momentum(group: int, mean: Tensor, now: Tensor) -> Tensor:
        del group
        return moved(optimizer, done, mean, now)

    pairs: Pairs = []
    evaluation, ema = optimizer.evaluation_statistics, optimizer.ema_statistics
    if evaluation is not None and optimizer.averages_statistics:
        pairs += evaluation.averaged(by_rule, done)
    if ema is not None:
        pairs += ema.averaged(by_momentum, done)
    return pairs
