"""`keras.callbacks.SwapEMAWeights` also swaps the averages of the statistics."""

from __future__ import annotations

from typing import Any

from keras_optlab.engine.backend.keras_adapter import extend_swaps, optimizers_of
from keras_optlab.engine.update.other_statistics import OtherStatistics, write


def extend_swap_ema_weights() -> None:
    """Extend Keras' callback, once per process."""
    extend_swaps(_swap, _end)


def _swap(model: Any) -> None:
    for found in _averages(model):
        write(found.swapped())


def _end(model: Any) -> None:
    """Keep the averages, which the model has now, for the end of `fit`."""
    for found in _averages(model):
        if found.is_current():
            found.keep(found.held())


def _averages(model: Any) -> list[OtherStatistics]:
    found = [o.ema_statistics for o in optimizers_of(model)]
    return [x for x in found if x is not None]
