"""The learning rate in the logs of `fit`: who drives it, and metrics without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.callbacks.base.optimizer_access import named_optimizers
from keras_optlab.engine.backend.keras_hooks import fit_callbacks

# What callbacks write into the logs of an epoch, and `TensorBoard` shows by step.
SHOWN_BY_STEP = (
    "clipped_fraction",
    "grad_norm",
    "learning_rate",
    "lr",
    "skipped_fraction",
)


def metrics_alone(
    logs: Mapping[str, Any], model: keras.Model, optimizer: Any
) -> dict[str, Any]:
    """Return the logs of an epoch without what other tags show by step."""
    rates = {f"lr_{name}" for name in named_optimizers(optimizer)}
    by_step = rates.union(SHOWN_BY_STEP) - {metric.name for metric in model.metrics}
    return {k: v for k, v in logs.items() if k not in by_step}


def driver_of_rate(companions: Sequence[Callback]) -> str | None:
    """Return the class of a callback that drives the rate, if there is one.

    Args:
        companions: The callbacks of this package in the running `fit`.
    """
    known = keras.callbacks
    of_keras = known.LearningRateScheduler, known.ReduceLROnPlateau
    drivers = [c for c in fit_callbacks() if isinstance(c, of_keras)]
    rates = {"learning_rate", "learning_rate_scale"}
    drivers += [c for c in companions if rates & c.driven_values().keys()]
    return type(drivers[0]).__name__ if drivers else None
