"""`fit` as the span of schedules without a length of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_optlab.core.spans import needs_span
from keras_optlab.engine.backend.fit_length import FitLength, when_known
from keras_optlab.engine.backend.keras_adapter import (
    inner_optimizer,
    optimizers_of,
    schedule_of,
)
from keras_optlab.engine.backend.keras_hooks import fit_arguments
from keras_optlab.engine.backend.trainer_adapter import first_epoch
from keras_optlab.engine.backend.variables import to_numpy
from keras_optlab.engine.contract import BuiltOptimizer


@contextlib.contextmanager
def span_fit(
    model: keras.Model, callbacks: list[keras.callbacks.Callback]
) -> Iterator[None]:
    """Have the schedules of a model's optimizers run over a `fit`.

    Raises:
        ValueError: if a stock Keras optimizer has a schedule without a length.
    """
    _refuse_stock(model)
    optimizers = optimizers_of(model)
    if not optimizers:
        yield
        return
    spans = FitSpans(model, optimizers)
    callbacks.append(spans)
    for optimizer in optimizers:
        optimizer.training_span.in_fit = True
    try:
        with when_known(spans.begin):
            yield
    finally:
        for optimizer in optimizers:
            optimizer.training_span.in_fit = False
            optimizer.training_span.others.clear()


class FitSpans(keras.callbacks.Callback):
    """The last callback of a `fit`, which begins the spans of its optimizers.

    They begin when the data are prepared, and again after the other callbacks'
    `on_train_begin`: one of these may have restored an optimizer and the first epoch,
    or have a schedule of its own drive a hyperparameter.
    """

    def __init__(self, model: keras.Model, optimizers: list[BuiltOptimizer]) -> None:
        super().__init__()
        self._trained, self._optimizers = model, optimizers
        self._length: FitLength | None = None

    def begin(self, length: FitLength) -> None:
        """Begin a span of all updates, unless one goes on."""
        self._length = length
        told = fit_arguments()
        first = first_epoch(self._trained, told)
        epochs = told.get("epochs", 1) - first
        for optimizer in self._optimizers if epochs > 0 else ():
            if optimizer.training_span.needing:
                _begin(optimizer, length.batches(epochs), epochs, goes_on=first > 0)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Begin the spans after all other callbacks."""
        if self._length is not None:
            self.begin(self._length)


def check_span(model: Any) -> None:
    """Raise if `train_on_batch` needs a span, and `optimizer.span` was not called."""
    optimizer = inner_optimizer(model.optimizer)
    span = getattr(optimizer, "training_span", None)
    if span is not None:
        span.check()


def _begin(
    optimizer: BuiltOptimizer, batches: int | None, epochs: int, goes_on: bool
) -> None:
    span, step = optimizer.training_span, int(to_numpy(optimizer.updates))
    if span.covers(step) and (span.by_hand or goes_on):
        return
    if batches is None:
        raise ValueError(
            f"{span.needing[0]!r} has no length of its own, and the number of batches "
            "of this `fit` is not known. Received: data of unknown length. Pass "
            "`steps_per_epoch` to `fit`, or `steps` to the schedule."
        )
    span.begin(step, optimizer.updates_in(batches), epochs, by_hand=False)


def _refuse_stock(model: Any) -> None:
    optimizer = inner_optimizer(getattr(model, "optimizer", None))
    for one in getattr(optimizer, "optimizers", [optimizer]):
        schedule = schedule_of(one)
        if schedule is not None and needs_span(schedule) and not _is_ours(one):
            raise ValueError(
                "A stock Keras optimizer does not know how long the training is. "
                f"Received: {type(one).__name__}({schedule!r}). Pass `steps` to the "
                f"schedule, or use keras_optlab.optimizers.{type(one).__name__}."
            )


def _is_ours(optimizer: Any) -> bool:
    return hasattr(optimizer, "training_span")
