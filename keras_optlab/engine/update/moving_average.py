"""The moving average of the weights, for Keras' `use_ema`."""

from __future__ import annotations

from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.variables import Pairs, read
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.hyperparameters.per_step import StepHyperparameters


def with_averages(
    optimizer: BuiltOptimizer, scalars: StepHyperparameters, values: dict[int, Tensor]
) -> Pairs:
    """Return the new weights and averages, each with its variable.

    Args:
        optimizer: The optimizer, built.
        scalars: The numbers of updates before this one.
        values: The new weights of this update, by index. For a weight without a
            gradient, its current value is averaged, unless its section rests.
    """
    pairs, values = [], dict(values)
    for p, average in zip(optimizer.plan.parameters, optimizer.averages, strict=True):
        i = p.index
        rests = p.section is not None and not p.variable.trainable
        if average is None or (rests and i not in values):
            continue
        w = values.get(i, read(optimizer.weights[i]))
        done = scalars.counts.get(p.key, scalars.done)  # a frozen group has no count
        mean = moved(optimizer, done, read(average), ops.cast(w, average.dtype))
        pairs.append((average, mean))
        every = optimizer.ema_overwrite_frequency
        if every:
            overwrites = (scalars.done + 1) % every == 0
            values[i] = ops.where(overwrites, ops.cast(mean, w.dtype), w)
    for i, x in values.items():
        variable = optimizer.weights[i]
        pairs.append((variable, ops.cast(x, variable.dtype)))
    return pairs


def moved(optimizer: BuiltOptimizer, done: Tensor, mean: Tensor, w: Tensor) -> Tensor:
    """Return the next moving average, given the old one and the new weight."""
    started = ops.cast(done > 0, mean.dtype)
    momentum = started * optimizer.ema_momentum
    return momentum * mean + (1 - momentum) * w
