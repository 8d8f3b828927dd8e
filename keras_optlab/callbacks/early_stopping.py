"""Early stopping."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_optlab.callbacks.base.judging import JudgingCallback
from keras_optlab.callbacks.base.messages import print_message
from keras_optlab.core.arguments import flag, number, optional_number, verbosity
from keras_optlab.engine.backend.keras_hooks import fit_arguments
from keras_optlab.stopping.base import Criterion
from keras_optlab.stopping.deadline import Deadline
from keras_optlab.stopping.limits import Limits


class EarlyStopping(JudgingCallback):
    """Early stopping when a metric no longer improves, with the best weights restored.

    With mode `"min"`, value k improves if

        value_k < best - min_delta,    and then best = value_k

    Training stops after `patience` without an improvement. A NaN never improves; an
    epoch without validation does not count. Training also stops as soon as

        value_k <= target,    value_k > divergence    or    value_k is NaN or infinite

    (with mode `"max"` the comparisons are reversed), after `max_seconds`, and as soon
    as one of the `criteria` from `keras_optlab.stopping` says so. With `criteria` there
    is no patience unless it is given.

    What stopped the training is in `stopped_by` and `reason`, in the printed line, in
    `stopped_by` and `reason` of the `History` that `fit` returns, and in `TensorBoard`,
    which also logs the figures of the criteria, as `Monitor` does.

    The best weights are those of the best value, or of the value that reached `target`.
    `restore_best` restores them however training ends: by this callback, the last
    epoch, another callback, Ctrl-C or an exception in `fit`, before the exception
    reaches the caller. The optimizer's state is not restored. Without validation data
    and with `Evidence` alone nothing is monitored, and the last weights stay.

    With `every`, a value is the mean over the epoch so far, as Keras reports it: early
    in an epoch it averages few batches. Training stops one execution after the deciding
    value, and each improvement costs a copy of the weights. With a `Validate` in the
    same `fit`, the same holds after each validation for a validation metric.

    With `use_ema=True` the best weights replace the average that Keras writes into the
    model at the end, since the metric was measured without averaging. To evaluate and
    keep averages, list `keras.callbacks.SwapEMAWeights(swap_on_epoch=True)` before this
    callback.

    Works with every Keras optimizer. A second `fit` starts afresh.

    Args:
        monitor: name of the metric as `fit` reports it.
        patience: wait without improvement after which training stops, in the unit of
            `patience_unit`; >= 0 (0 stops at the next value without improvement), an
            integer unless in seconds. `None` is 5 without `criteria`, and no patience
            with them.
        min_delta: an improvement by this much or less does not count; >= 0, in units of
            the metric.
        mode: `"min"` if lower is better, `"max"` if higher is better, or `"auto"` to
            infer it from words in the metric's name (loss, error: min; accuracy, AUC:
            max).
        restore_best: whether to restore the best weights when training ends.
        criteria: a list of criteria of `keras_optlab.stopping` or of your own; any of
            them stops the training.
        target: stop at a value at least this good; in units of the metric.
        divergence: stop at a value worse than this; in units of the metric.
        check_finite: whether to stop at a value that is NaN or infinite.
        start_from_epoch: first epoch, counted from 0, whose values count and whose
            weights may be kept; integer >= 0.
        every: steps between two values; integer >= 1. `None` takes one value per epoch,
            and each one of a `Validate`.
        patience_unit: `"epochs"`, `"validations"`, `"steps"` or `"seconds"`; `None` is
            validations if a `Validate` reports the metric, else epochs. A patience in
            epochs is checked at the end of each epoch, also with `every`; an
            improvement at any step of the epoch restarts the wait.
        max_seconds: stop this many seconds after the start of `fit`, once the running
            execution and the validation are over; > 0. `None` is no limit.
        verbose: 1 prints one line: why training stopped and what was restored; 0 prints
            nothing.
        optimizer: the optimizer whose step count `best_step` uses, if a custom training
            step uses another one than the model's; `None` is the model's.

    Attributes:
        best: best value so far, or `None`.
        best_epoch: epoch of the best value, counted from 0 as in Keras, or `None`.
        best_step: step of the best value, by the optimizer's count, or `None`.
        stopped_epoch: epoch in which this callback stopped training, or `None`.
        stopped_by: what stopped it, or `None`: the class of the criterion (a second one
            of a class is `"Patience_2"`), or the argument: `"patience"`, `"target"`,
            `"divergence"`, `"check_finite"` or `"max_seconds"`.
        reason: why it stopped training, in one line, or `""`.

    Raises:
        ValueError: if an argument is out of range; if `mode` contradicts the metric's
            name, or is `"auto"` and the name does not determine it; if `target` is not
            better than `divergence`; if a criterion cannot judge the metric; in `fit`,
            before training, if `every` is set for a validation metric without a
            `Validate`, or if a criterion needs validation and none will run, or cannot
            measure the model.
        TypeError: if an argument has a wrong type.

    Warns:
        UserWarning: once, if the metric is not reported; it lists the reported metrics.
            Not while a validation is still to come that may report the metric.

    Source:
        Common practice; for the `criteria` see there. Prechelt, "Early Stopping - But
        When?", 1998, compares three kinds of criteria: `GeneralizationLoss`,
        `ProgressQuotient` and `Rising`. A patience is none of these.

    Differs from Keras: the best weights are restored however training ends, a `mode`
    that contradicts the name is refused, `restore_best` is on by default, and `target`
    stops training, where Keras' `baseline` is a value to improve on.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile("sgd", loss="mse")
        >>> stopping = EarlyStopping("loss", patience=2, min_delta=1e9, verbose=0)
        >>> x, y = np.ones((4, 3)), np.ones((4, 1))
        >>> history = model.fit(x, y, epochs=9, callbacks=[stopping], verbose=0)
        >>> len(history.epoch), stopping.best_epoch, stopping.stopped_epoch
        (3, 0, 2)
        >>> history.reason
        'Stopped after epoch 3: loss has not improved for 2 epochs.'
    """

    hints = {
        "restore_best_weights": "Write `restore_best`, which is on by default.",
        "baseline": "Write `target` for a value to stop at. A value to improve on "
        "cannot be set: the first value is the baseline.",
        "threshold": "Write `target` for a value to stop at.",
        "metric": "Write `monitor`.",
        "seconds": "Write `max_seconds`.",
    }

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: float | None = None,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = True,
        *,
        criteria: Sequence[Criterion] = (),
        target: float | None = None,
        divergence: float | None = None,
        check_finite: bool = True,
        start_from_epoch: int = 0,
        every: int | None = None,
        patience_unit: str | None = None,
        max_seconds: float | None = None,
        verbose: int = 1,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(
            monitor,
            patience,
            min_delta,
            mode,
            every,
            patience_unit,
            criteria,
            optimizer,
        )
        self.restore_best = flag("restore_best", restore_best)
        self.target = _limit("target", target)
        self.divergence = _limit("divergence", divergence)
        self.check_finite = flag("check_finite", check_finite)
        self.start_from_epoch = number(
            "start_from_epoch", start_from_epoch, ">= 0", "first epoch", integer=True
        )
        self.max_seconds = optional_number(
            "max_seconds", max_seconds, "> 0", "time to stop"
        )
        self.first_epoch = self.start_from_epoch
        self.verbose = verbosity(verbose)
        self._limits = Limits(
            self.mode, self.target, self.divergence, self.check_finite
        )
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._best_weights: list[np.ndarray] | None = None
        self.reason = ""
        self.stopped_by: str | None = None
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.best_step: int | None = None
        self.stopped_epoch: int | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Reset the state of the previous `fit`."""
        self._start_afresh()
        super().on_train_begin(logs)
        self._deadline = Deadline(self.max_seconds, self.clock)

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Check the metric, if it is due, and the time limit."""
        super().on_train_batch_begin(batch, logs)
        self._watch_the_clock()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the metric of the epoch, and the time limit."""
        super().on_epoch_end(epoch, logs)
        self._watch_the_clock()

    def on_value(self, value: float) -> None:
        """Compare a value with the best one and the limits."""
        if self.epoch < self.start_from_epoch:
            self.start_waiting()
            return
        crossed = self._limits.crossed(value)
        if crossed == "check_finite":
            self.stop(crossed, f"{self.position_text()}: {self.monitor} is {value}")
            return
        improved = self.wait.update(value, self.now)
        if improved or (crossed == "target" and not self.reason):
            self._remember(value)
        if crossed == "target":
            reached = f"{self.monitor} has reached {self.target:.6g}"
            self.stop(crossed, f"{self.position_text()}: {reached}")
        elif crossed == "divergence":
            limit = f"worse than {self.divergence:.6g}"
            worse = f"{self.monitor} is {value:.6g}, {limit}"
            self.stop(crossed, f"{self.position_text()}: {worse}")
        self.judge(value)

    def on_patience_end(self) -> None:
        """Stop training."""
        self.stop("patience", f"{self.position_text()}: {self.wait_text()}")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Restore the best weights; Keras has written its average already."""
        self._tell_history()
        self._finish()

    def on_train_interrupted(self) -> None:
        """Restore the best weights; the exception itself tells why training ended."""
        self._finish(interrupted=True)

    def _watch_the_clock(self) -> None:
        if self._deadline.passed:
            elapsed = f"{self._deadline.elapsed:.6g} seconds have passed"
            self.stop("max_seconds", f"in epoch {self.epoch + 1}: {elapsed}")

    def _remember(self, value: float) -> None:
        self.best, self.best_epoch, self.best_step = value, self.epoch, self.step
        if self.restore_best:
            self._best_weights = self.model.get_weights()

    def stop(self, by: str, why: str) -> None:
        """Stop training, unless something else stopped it before."""
        if self.reason:
            return
        self.stopped_by, self.reason = by, f"Stopped {why}."
        self.stopped_epoch = self.epoch
        self.model.stop_training = True

    def _tell_history(self) -> None:
        """Write into the `History` that `fit` returns why training stopped."""
        history = getattr(self.model, "history", None)
        if history is None or not fit_arguments():
            return
        if self.reason or not hasattr(history, "reason"):  # by another callback
            history.stopped_by, history.reason = self.stopped_by, self.reason

    def _finish(self, interrupted: bool = False) -> None:
        by_hand = isinstance(sys.exception(), KeyboardInterrupt)
        why = self.reason
        if interrupted and by_hand and self._best_weights is not None:
            why = why or "Training was interrupted."
        said = [why] if why else []
        if self.best_epoch is not None:
            unit, best = "epoch", self.best_epoch + 1
            if self.acts_by_step:
                unit, best = "step", self.best_step
            had = f"{best} ({self.monitor} {self.best:.6g})."
            if self._best_weights is None:
                said += [] if interrupted else [f"The best {unit} was {had}"]
            else:
                self.model.set_weights(self._best_weights)
                self._best_weights = None
                said.append(f"Restored the weights of the best {unit}, {had}")
        if self.verbose and said:
            print_message(" ".join(["EarlyStopping:", *said]))


def _limit(name: str, value: Any) -> float | None:
    doc = "value of the metric to stop at"
    return optional_number(name, value, "(-inf, inf)", doc)
