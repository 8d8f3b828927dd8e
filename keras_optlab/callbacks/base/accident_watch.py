"""Base class of callbacks that watch the loss and gradient norm of every step."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np

from keras_optlab.callbacks.base.callback import joined_callbacks
from keras_optlab.callbacks.base.execution_log import ExecutionLog, UsesExecutionLog
from keras_optlab.callbacks.base.step import StepCallback
from keras_optlab.engine import before_looking
from keras_optlab.engine.backend.batch_memory import BatchMemory
from keras_optlab.engine.backend.keras_adapter import optimizers_of
from keras_optlab.engine.backend.replicas import is_distributed
from keras_optlab.engine.model.device_copy import has_finite_weights
from keras_optlab.spikes import Accident, BatchLosses, Execution, Judge, Outliers

AT_ONCE = 64  # steps of an execution, if Keras chooses the number itself


class AccidentWatch(UsesExecutionLog, StepCallback):
    """A callback that looks at the steps since its last look, every `every` steps.

    It also looks at the end of an epoch, before validation. The loss of a step and the
    norm of its gradient are collected without waiting for the device. Gradient norms
    are known, and steps with a spike of them are not applied, if the model was
    compiled with an optimizer of this package with `skip_non_finite`, on one device.
    Where they are not known, a look checks the weights too.

    Args:
        every: steps between two looks.
        monitor: name of the loss as `fit` reports it.
        threshold: smallest robust z-score of a spike.
        min_ratio: smallest ratio of a spike to the median.
        window: steps of the median.
        optimizer: the optimizer that a custom training step uses; `None` is the
            model's.
    """

    runs_first = True

    def __init__(
        self,
        every: int,
        monitor: str,
        threshold: float,
        min_ratio: float,
        window: int,
        optimizer: Any = None,
    ) -> None:
        super().__init__(every, optimizer)
        self.monitor, self.window = monitor, window
        self.threshold, self.min_ratio = threshold, min_ratio
        self._warned = False
        self.start()

    def start(self) -> None:
        """Forget the previous `fit`."""

        def outliers() -> Outliers:
            return Outliers(self.threshold, self.min_ratio, self.window)

        self.judge = Judge(outliers(), outliers())
        self.executions = ExecutionLog(self.monitor)
        self.batches = BatchMemory(0)
        self.epoch, self._in_epoch, self.validated = 0, False, False
        self._corrected: dict[str, float] = {}  # means of the epoch

    @property
    def async_safe(self) -> bool:
        """Whether Keras may call `on_train_batch_end` from another thread."""
        return True

    def on_accidents(
        self, model: Any, accidents: list[Accident], done: int, ahead: int
    ) -> bool:
        """React to accidents; return whether the metrics have changed.

        Args:
            model: The model.
            accidents: At least one.
            done: Number of batches of the epoch that were trained on.
            ahead: Number of batches that were drawn already after them.
        """
        raise NotImplementedError

    def on_quiet(self, model: Any, done: int) -> None:
        """Act after a look without an accident."""
        raise NotImplementedError

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin to record losses, gradient norms and batches."""
        super().on_train_begin(logs)
        model = self.model
        at_once = model.steps_per_execution
        at_once = at_once if isinstance(at_once, int) else AT_ONCE
        most = (self.every or 1) * self._window + 2 * at_once
        ours = None if self.given_optimizer is not None else self.our_optimizer
        skips = ours is not None and ours.skip_non_finite and not is_distributed(model)
        self.executions.start(model, ours if skips else None, most)
        self.batches = BatchMemory(most)
        self.batches.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count batches from 0."""
        super().on_epoch_begin(epoch, logs)
        self.epoch, self._in_epoch, self.validated = epoch, True, False
        self._corrected = {}
        self.executions.begin_epoch()
        if self.judge.running is not None:
            self.judge.running = BatchLosses()
        self.batches.arm()

    def on_train_batch_begin(
        self,
        batch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Look at the steps since the last look, if that is due."""
        self._corrected = {}
        self.batches.disarm()
        resumed = batch if self._begun is None else 0
        if resumed and self.judge.running is not None:
            self.judge.running = BatchLosses(resumed, None)
        if self.count_to(batch):
            # torch's trainer has drawn this batch already
            ahead = keras.backend.backend() == "torch"
            self._look(batch - self._first, int(ahead))
        self.executions.begin()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Note the loss; Keras may call this in another thread."""
        super().on_train_batch_end(batch, logs)
        self.executions.add(batch + 1 - self._first, logs)

    def look_now(self) -> None:
        """Look at the steps so far, if the model has its training weights."""
        model = self.model
        moved = any(x.at_evaluation_weights for x in optimizers_of(model))
        if self._in_epoch and not moved:
            self.executions.wait()  # until then the last batch is not counted
            self._look_last(max(self._begun or 0, self._ended) - self._first)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Look at the last steps before `fit` validates."""
        self.look_now()
        self.validated = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the last steps; correct the means if one of these was undone."""
        if self._in_epoch:
            self._look_last(self._batches_of_epoch())
            self._warn_of_no_loss()
        self._in_epoch = False
        if logs is not None:
            logs.update({k: v for k, v in self._corrected.items() if k in logs})
        super().on_epoch_end(epoch, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Stop recording."""
        self.end()

    def on_train_interrupted(self) -> None:
        """Stop recording."""
        self.end()

    def end(self) -> None:
        """Stop recording, and let go of the batches."""
        self._in_epoch = False
        self.batches.stop()
        _ = self.model  # on JAX, the trainer returns the variables
        self.executions.stop()

    def _look(self, done: int, ahead: int = 0) -> bool:
        """Judge the batches of the epoch that were not looked at yet."""
        if done <= self.executions.seen:
            return False
        model = self.model
        executions = self.executions.executions(model, done)
        if not self.executions.means:
            self.judge.running = None
        accidents = self._accidents(model, executions)
        self.executions.set_limit(self.judge.norms.limit)
        if accidents:
            return self.on_accidents(model, accidents, done, ahead)
        self.on_quiet(model, done)
        return False

    def _accidents(self, model: Any, executions: list[Execution]) -> list[Accident]:
        """Return the accidents of some batches.

        Gradient norms show the step that makes a weight NaN, a loss may not: TensorFlow
        can take `relu(NaN)` for 0.
        """
        losses = list(self.judge.losses.values)
        accidents = self.judge.accidents(executions)
        if accidents or self.executions.knows_norms or has_finite_weights(model):
            return accidents
        self.judge.losses.restart(losses)
        return self.judge.bad_weights(executions)

    def _look_last(self, done: int) -> None:
        if self._look(done) and not self.validated:
            results = self.model.get_metrics_result()
            arrays = {
                k: np.asarray(keras.ops.convert_to_numpy(v)) for k, v in results.items()
            }
            self._corrected = {k: x.item() for k, x in arrays.items() if x.size == 1}

    def _warn_of_no_loss(self) -> None:
        if self.executions.reported or self._warned:
            return
        self._warned = True
        also = " Only gradient norms are watched."
        warnings.warn(
            f"{type(self).__name__}: `fit` does not report {self.monitor!r}."
            f"{also if self.executions.knows_norms else ' Nothing is watched.'} Pass "
            "the name of a loss that it reports by `monitor`.",
            stacklevel=3,
        )


def _look_before(model: keras.Model) -> None:
    """Look before the evaluation weights of an optimizer take the place of others."""
    for callback in joined_callbacks():
        if isinstance(callback, AccidentWatch) and callback.model is model:
            callback.look_now()


before_looking(_look_before)
