"""Slots that start from a weight start from what it is when training begins.

They are created when an optimizer is built. Weights may be set after that, by
`set_weights` or a file without the optimizer's state, before the first step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_optlab.engine.backend.keras_adapter import concrete, optimizers_of
from keras_optlab.engine.saving.entries import begin_copies


@contextlib.contextmanager
def start_from_present_weights(
    model: keras.Model,
    callbacks: list[keras.callbacks.Callback],  # noqa: ARG001
) -> Iterator[None]:
    """Have the optimizers of a model that have made no update look at the weights."""
    for optimizer in optimizers_of(model):
        begin_anew(optimizer)
    yield


def begin_anew(optimizer: Any) -> None:
    """Copy the weights again if the optimizer is built and has made no update."""
    if optimizer.built and concrete(optimizer.updates) == 0:
        begin_copies(optimizer)
