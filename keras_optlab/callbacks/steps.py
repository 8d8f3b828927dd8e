"""Acting every so many steps, without making `fit` wait for the device in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.callbacks.arguments import optional_steps
from keras_optlab.callbacks.interruption import Callback


class StepCallback(Callback):
    """Calls `on_steps` after every so many steps, and counts them.

    A step is a batch, or an update with `gradient_accumulation_steps`. Steps are
    counted here, since to ask the optimizer would be to wait for the device. With
    `steps_per_execution` a point follows the execution in which a multiple of `every`
    was passed.

    Args:
        every: steps between two points, after one at the first step; integer >= 1.
            `None` makes no points.

    Attributes:
        step: steps trained, as the optimizer counts them.
    """

    def __init__(self, every: int | None) -> None:
        super().__init__()
        self.every = optional_steps("every", every, "steps between two points")
        self.step = 0

    def on_steps(self, metrics: Mapping[str, Any]) -> None:
        """Act after step `self.step`; a subclass implements this.

        Args:
            metrics: Loss and metrics, mean over the epoch so far, as Keras has them.
        """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Go on from where the optimizer is."""
        super().on_train_begin(logs)
        self._window = _batches_per_step(self.model.optimizer)
        self.step = self._steps_trained()

    def on_epoch_begin(
        self,
        epoch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Count the batches from here."""
        self._step_of_epoch, self._batches = self.step, 0

    def on_train_batch_begin(
        self,
        batch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Act on the batches before this one, if a multiple of `every` was passed.

        Had this class an `on_train_batch_end`, Keras would wait for the device after
        every batch to bring it the metrics.
        """
        self._batches = batch
        if self._reach(self._step_after(batch)):
            self.on_steps(self.model.get_metrics_result())

    def on_epoch_end(
        self,
        epoch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
    ) -> None:
        """Act on the last batches of the epoch, if they are due."""
        if self._reach(max(self._steps_trained(), self._step_after(self._batches + 1))):
            metrics = logs or {}
            self.on_steps({k: v for k, v in metrics.items() if k[:4] != "val_"})

    def _steps_trained(self) -> int:
        if self.model.optimizer is None:  # a `train_step` of one's own needs none
            return self.step
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def _step_after(self, batches: int) -> int:
        return self._step_of_epoch + batches // self._window

    def _reach(self, step: int) -> bool:
        """Move on to a step; return whether a point is due there."""
        before, self.step = self.step, step
        if self.every is None:
            return False
        return before == 0 < step or before // self.every < step // self.every


def _batches_per_step(optimizer: Any) -> int:
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return getattr(optimizer, "gradient_accumulation_steps", None) or 1
