"""`fit` computes normalization statistics for evaluation weights from its own data."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from keras_optlab.averaging.batches import ONCE, NotReadableError, input_batches
from keras_optlab.engine import (
    begin_statistics,
    fit_arguments,
    refresh_statistics,
    statistics_are_outdated,
)

STEPS = 100


@contextlib.contextmanager
def refresh_in_fit(
    model: keras.Model, callbacks: list[keras.callbacks.Callback]
) -> Iterator[None]:
    """Compute the statistics at the end of `fit`, for optimizers that need it."""
    if begin_statistics(model):
        callbacks.append(_Last())
    yield


class _Last(keras.callbacks.Callback):
    """Computes the statistics after all other callbacks have set the weights."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        refresh_if_outdated(self.model)


def refresh_if_outdated(model: Any) -> None:
    """Compute the statistics if they belong to other weights, or warn once."""
    if not statistics_are_outdated(model):
        return
    told = fit_arguments()
    reason = "no `fit` of this model runs, which could read its data again"
    if told.get("self") is model:
        try:
            refresh_statistics(model, _batches(told))
            return
        except NotReadableError as error:
            reason = f"`fit` cannot read its data again: {error}"
        except Exception as error:  # noqa: BLE001  # the training is done, and valid
            reason = f"a forward pass over the inputs of `fit` failed: {error}"
    _warn(model, reason)


def _batches(told: dict[str, Any]) -> Iterable[Any]:
    """Return the training data of a `fit`, given its arguments."""
    x, batch_size = told.get("x"), told.get("batch_size") or 32
    if x is None:
        raise NotReadableError(ONCE)
    share = 1 - (told.get("validation_split") or 0.0)
    return input_batches(x, batch_size, STEPS, share)


def _warn(model: Any, reason: str) -> None:
    if vars(model).get("_optlab_warned_of_statistics"):
        return
    vars(model)["_optlab_warned_of_statistics"] = True
    warnings.warn(
        "The statistics of this model's normalization layers are those of the training "
        f"weights, not of its evaluation weights, since {reason}. Call "
        "`keras_optlab.refresh_normalization(model, data)` before you evaluate or save "
        "it, or average by `EMA`, which averages the statistics too.",
        stacklevel=2,
    )
