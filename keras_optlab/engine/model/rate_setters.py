"""Keras' callbacks that set the rate, refused before training if a schedule drives it.

Otherwise the first plateau, perhaps after hours, would end `fit` with an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

from keras_optlab.engine.backend.keras_adapter import KerasAdapter, inner_optimizer

SETTERS = keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler


@contextlib.contextmanager
def refuse_rate_setters(
    model: keras.Model, callbacks: list[keras.callbacks.Callback]
) -> Iterator[None]:
    """Raise where a callback of `fit` would set a rate that a schedule drives."""
    optimizer = inner_optimizer(getattr(model, "optimizer", None))
    setters = [c for c in callbacks if isinstance(c, SETTERS)]
    if setters and isinstance(optimizer, KerasAdapter):
        rate = optimizer.rate.source  # pyright: ignore[reportAttributeAccessIssue]
        if not isinstance(rate, keras.Variable):
            raise TypeError(
                f"The learning rate is driven by {rate!r}. Received: the callback "
                f"{type(setters[0]).__name__}, which sets it. Construct the optimizer "
                "with a number, or use keras_optlab's ReduceOnPlateau, which sets "
                "`learning_rate_scale`, a factor on the schedule."
            )
    yield
