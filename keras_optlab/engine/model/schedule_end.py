"""A warning at the start of `fit` if a learning-rate schedule ends too early."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from keras_optlab.core.ends import end_of
from keras_optlab.engine.backend.keras_adapter import concrete, optimizers_of
from keras_optlab.engine.contract import BuiltOptimizer

LATE = 0.1  # share of the updates of `fit` allowed after the end without a warning


class ScheduleEndWarning(keras.callbacks.Callback):
    """Callback that warns once if a schedule has ended, or ends long before `fit`."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Check when the first epoch begins, as its number is then known."""
        self._looked = False

    def on_epoch_begin(
        self,
        epoch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Check the schedules, in the first epoch."""
        if self._looked:
            return
        self._looked = True
        params = self.params or {}
        steps, epochs = params.get("steps"), params.get("epochs")
        batches = steps * (epochs - epoch) if steps and epochs else None
        for optimizer in optimizers_of(self.model):
            message = _message(optimizer, batches)
            if message and not optimizer.warned_of_end:
                optimizer.warned_of_end = True
                warnings.warn(message, stacklevel=2)


@contextlib.contextmanager
def warn_of_schedule_end(
    model: keras.Model, callbacks: list[keras.callbacks.Callback]
) -> Iterator[None]:
    """Have `fit` check the schedules of its model's optimizers."""
    if optimizers_of(model):
        callbacks.append(ScheduleEndWarning())
    yield


def _message(optimizer: BuiltOptimizer, batches: int | None) -> str | None:
    schedule, begin = optimizer.rate.source, concrete(optimizer.updates)
    end = end_of(schedule)
    if end is None or begin is None:
        return None
    begin = int(begin)
    last = float(ops.convert_to_numpy(schedule(end)))
    what = f"The learning rate of {optimizer.name} follows {schedule!r}, which"
    advice = (
        "Schedules count the updates of an optimizer over all calls of `fit`: compile "
        "the model with a new optimizer and a schedule that is as long as the training."
    )
    if begin >= end:
        return (
            f"{what} ended at update {end}. This `fit` begins at update {begin} and "
            f"trains at the last value, {last:.3g}. {advice}"
        )
    if batches is None:
        return None
    updates = batches // (optimizer.gradient_accumulation_steps or 1)
    after = begin + updates - end
    if after <= LATE * updates:
        return None
    return (
        f"{what} ends at update {end}. This `fit` makes updates {begin} to "
        f"{begin + updates}, the last {after} of them at the last value, {last:.3g}. "
        f"{advice}"
    )
