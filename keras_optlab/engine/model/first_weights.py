"""Slots that start as a copy of a weight: copied again when training begins.

They are created in `build`. Weights may be set between `build` and the first step, by
`set_weights` or by a file without the optimizer's state.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

from keras_optlab.engine.backend.keras_adapter import concrete, optimizers_of
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.saving.entries import reset_weight_copies
from keras_optlab.engine.update.sections import start_copies


@contextlib.contextmanager
def start_from_present_weights(
    model: keras.Model,
    callbacks: list[keras.callbacks.Callback],  # noqa: ARG001
) -> Iterator[None]:
    """Copy the weights again for a model's optimizers that have made no update."""
    for optimizer in optimizers_of(model):
        refresh_copies(optimizer)
    yield


def refresh_copies(optimizer: BuiltOptimizer) -> None:
    """Copy the weights again if the optimizer is built and has made no update."""
    if optimizer.built and concrete(optimizer.updates) == 0:
        reset_weight_copies(optimizer)
    elif optimizer.built:
        start_copies(optimizer)
