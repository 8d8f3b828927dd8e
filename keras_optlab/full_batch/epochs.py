"""Calls of Keras callbacks during a SciPy run, with one epoch per iteration."""

from __future__ import annotations

import math

import keras
import numpy as np

from keras_optlab.full_batch.data import Data
from keras_optlab.full_batch.objective import Objective


class Epochs:
    """Runner of Keras callbacks: each SciPy iteration is an epoch of one batch.

    An epoch begins at the first evaluation of its iteration. It ends when the iteration
    is done and its weights are in the model.

    Args:
        objective: The function to minimize.
        callbacks: A `keras.callbacks.CallbackList`.
        limit: Maximum number of epochs.
        validation: Data for the `val_` logs, or `None`.
    """

    def __init__(
        self,
        objective: Objective,
        callbacks: keras.callbacks.CallbackList,
        limit: int,
        validation: Data | None,
    ) -> None:
        self.objective, self.model = objective, objective.model
        self.callbacks, self.limit, self.validation = callbacks, limit, validation
        self.done, self.running = 0, False
        self.ended: str | None = None  # the reason, unless the method stopped itself
        self.logs: dict[str, float] = {}

    def evaluating(self) -> None:
        """Begin an epoch unless one is running."""
        if not self.running:
            self.running = True
            self.callbacks.on_epoch_begin(self.done)
            self.callbacks.on_train_batch_begin(0)

    def iterated(self, w: np.ndarray, loss: float) -> None:
        """End an epoch.

        Raises:
            StopIteration: if it was the last epoch, or a callback stops the training.
        """
        self.evaluating()
        self.objective.place(w)
        self.logs = self._measured(self.objective.data) | {"loss": loss}
        self.callbacks.on_train_batch_end(0, dict(self.logs))
        if self.validation is not None:
            self.logs |= self._validated(self.validation)
        self.callbacks.on_epoch_end(self.done, self.logs)
        self.done, self.running = self.done + 1, False
        if self.model.stop_training:
            self.ended = f"A callback stopped the training after epoch {self.done}."
        elif self.done >= self.limit:
            self.ended = f"All epochs are done: epochs={self.limit}."
        if self.ended:
            raise StopIteration

    def checked(self, loss: float, *others: np.ndarray) -> None:
        """Raise if a loss or its derivatives are not finite."""
        if math.isfinite(loss) and all(np.isfinite(x).all() for x in others):
            return
        raise FloatingPointError(
            "The loss or its gradient is not finite at a point that the method tried. "
            f"Received: loss={loss} after {self.done} iterations. The model has the "
            "weights of the last iteration. Check the data for NaN, and scale inputs "
            "and targets to about 1."
        )

    def _measured(self, data: Data) -> dict[str, float]:
        """Return the logs of the metrics; empty if the loss is the only metric."""
        if len(self.model.metrics) == 1:
            return {}
        return self._tested(data)

    def _validated(self, data: Data) -> dict[str, float]:
        self.callbacks.on_test_begin()
        self.callbacks.on_test_batch_begin(0)
        logs = self._tested(data)
        self.callbacks.on_test_batch_end(0, logs)
        self.callbacks.on_test_end(logs)
        return {f"val_{name}": value for name, value in logs.items()}

    def _tested(self, data: Data) -> dict[str, float]:
        self.model.reset_metrics()
        logs = self.model.test_on_batch(
            data.x, data.y, data.sample_weight, return_dict=True
        )
        return {name: float(value) for name, value in logs.items()}
