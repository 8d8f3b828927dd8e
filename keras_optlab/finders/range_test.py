"""The exponential range test: short trainings in which a value grows at each update."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_optlab.core.errors import shown
from keras_optlab.engine.backend.keras_adapter import inner_optimizer, optimizers_of
from keras_optlab.engine.model.snapshot import Snapshot
from keras_optlab.finders.driven_value import DrivenValue
from keras_optlab.finders.smoothing import Smoothed

Batches = Iterator[Any]


class RangeTest:
    """Runs of one model with the same growing values.

    Args:
        model: The compiled model.
        value: The hyperparameter to set.
        values: Its values, one for each update.
        batches: Returns the batches of one pass over the data.
        class_weight: As in `fit`.
        monitor: Name of the loss in the logs of a step.
    """

    def __init__(
        self,
        model: Any,
        value: DrivenValue,
        values: np.ndarray,
        batches: Callable[[], Batches],
        class_weight: Any = None,
        monitor: str = "loss",
    ) -> None:
        self.model, self.value, self.values = model, value, values
        self.batches, self.class_weight, self.monitor = batches, class_weight, monitor
        inner = inner_optimizer(model.optimizer)
        self.window = getattr(inner, "gradient_accumulation_steps", None) or 1

    def runs(self, snapshot: Snapshot, n: int, seed: int) -> list[np.ndarray]:
        """Return the losses of `n` runs from the same start on different batches.

        A run's loss `i` is that after the update with value `i`. It ends early where
        the loss diverges.
        """
        losses = []
        for i in range(n):
            snapshot.put_back()
            self._begin_spans()
            draw_from(seed + i)
            losses.append(self._run(full_batches(self.batches)))
        return losses

    def _begin_spans(self) -> None:
        """Have schedules of other hyperparameters span the run."""
        for optimizer in optimizers_of(self.model):
            if optimizer.training_span.needing:
                optimizer.span(len(self.values) + 1, epochs=1)

    def _run(self, stream: Batches) -> np.ndarray:
        smoothed, losses = Smoothed(), []
        for i in range(len(self.values) + 1):  # one more, for the loss after the last
            self.value.set(self.values[min(i, len(self.values) - 1)])
            loss = self._step(stream)
            losses.append(loss)
            if smoothed.has_diverged(smoothed.add(loss)):
                break
        return np.array(losses[1:])

    def _step(self, stream: Batches) -> float:
        """Train one update; return the mean loss of its micro-batches before it."""
        total = 0.0
        for batch in itertools.islice(stream, self.window):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
            logs = self.model.train_on_batch(
                x, y, sample_weight, self.class_weight, return_dict=True
            )
            if self.monitor not in logs:
                raise ValueError(
                    "`monitor` must be a loss that the model's `train_step` returns. "
                    f"Received: monitor={shown(self.monitor)}, and a step that "
                    "returned "
                    f"{shown(sorted(logs))}"
                )
            total += float(logs[self.monitor])
        return total / self.window


def draw_from(seed: int) -> None:
    """Seed the generators that order the batches."""
    random.seed(seed)
    np.random.seed(seed)  # Keras shuffles arrays by the global generator


def full_batches(batches: Callable[[], Batches]) -> Batches:
    """Yield batches, pass after pass, without those that are smaller than others.

    A smaller batch would have a noisier loss, and the step would be traced for it.

    Raises:
        ValueError: if a pass has no batches.
    """
    largest = 0
    while True:
        empty = True
        for batch in batches():
            empty = False
            size = _size(batch)
            if size >= largest:
                largest = size
                yield batch
        if empty:
            raise ValueError("The data have no batches. Received: no samples.")


def _size(batch: Any) -> int:
    leaves = [x for x in keras.tree.flatten(batch) if x is not None]
    shape: Any = getattr(leaves[0], "shape", None)
    return int(shape[0]) if shape and shape[0] is not None else 1
