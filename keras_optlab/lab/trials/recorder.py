"""`Recorder`: the callback that evaluates and times a trial."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from typing import Any

from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.engine import undisturbed
from keras_optlab.engine.backend.trainer_adapter import (
    evaluate_batches,
    evaluation_batches,
)
from keras_optlab.lab.problems import Target
from keras_optlab.lab.problems.problem import is_dataset, x_and_y

EVALUATION_BATCH = 1000  # rows
FEWER = 10  # after the target is reached, every tenth evaluation is enough

Report = Callable[[int, float, float], bool]


class Recorder(Callback):
    """Callback that evaluates a model every few updates, outside of the clock.

    The clock counts the seconds of updates. The first update, which compiles, counts as
    much as the mean of the others.

    Args:
        data: What to evaluate on, a part of `Data`; `None` takes the loss of the
            training batches.
        points: Updates after which to evaluate, the last one at the end.
        target: The value to reach.
        stop: Whether to end the training at the target.
        monitor: Metric that is reported.
        report: Called with the updates, the seconds and the value of `monitor` at each
            evaluation before the last; returns whether to end the training.

    Attributes:
        curve: Lists by name: `updates`, `seconds`, `train_loss` (mean since the last
            evaluation), and the metrics.
        reached: `{"updates": n, "seconds": s}` when the target was reached, or `None`.
        end: Why the training ended: `"complete"`, `"diverged"`, `"target"`, `"pruned"`.
    """

    def __init__(
        self,
        data: Any,
        points: Collection[int],
        target: Target | None,
        stop: bool,
        monitor: str,
        report: Report | None = None,
    ) -> None:
        super().__init__()
        self._data, self._updates = data, max(points)
        self._points, self._few = set(points), set(sorted(points)[::FEWER])
        self._target, self._stop = target, stop
        self._monitor, self._report = monitor, report
        self._batches: Any = None
        self._done = 0
        self._at_last = 0, 0.0  # updates and sum of losses at the last evaluation
        self._begun = 0.0
        self._spent: list[float] = []  # seconds of each update
        self._mean = math.nan  # of the training loss, as Keras gives it
        self.curve: dict[str, list[float]] = {}
        self.reached: dict[str, float] | None = None
        self.end = "complete"

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Make the batches to evaluate."""
        super().on_train_begin(logs)
        if self._data is not None:
            with undisturbed(self.model):
                arrays = not is_dataset(self._data)
                self._batches = evaluation_batches(
                    self.model,
                    (*x_and_y(self._data), None),
                    EVALUATION_BATCH if arrays else None,
                    None,
                    whole=arrays,
                )

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Evaluate after the earlier updates if it is time; start the clock."""
        if batch in (self._points if self.reached is None else self._few):
            self._evaluate()
        self._begun = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Wait for the update, stop the clock; end the training if it diverged."""
        self._mean = float((logs or {}).get("loss", math.nan))
        self._spent.append(time.perf_counter() - self._begun)
        self._done = batch + 1
        if not math.isfinite(self._mean):
            self.end = "diverged"
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Evaluate at the end."""
        if self.end == "complete" and self._done < self._updates:
            self.end = "diverged"  # the optimizer has skipped too many steps in a row
        elif self.end == "complete":
            self._evaluate()

    def _evaluate(self) -> None:
        loss = self._mean_since_last()
        values = {"loss": loss} if self._batches is None else self._values()
        row = {
            "updates": self._done,
            "seconds": round(self.seconds, 4),
            "train_loss": loss,
            **values,
        }
        for name, value in row.items():
            self.curve.setdefault(name, []).append(value)
        if not math.isfinite(values["loss"]):
            self._finish("diverged")
        elif self._is_reached(row) and self._stop:
            self._finish("target")
        elif self._done < self._updates and self._is_hopeless(row):
            self._finish("pruned")

    def _is_hopeless(self, row: dict[str, float]) -> bool:
        report = self._report
        return report is not None and report(
            self._done, row["seconds"], row[self._monitor]
        )

    def _is_reached(self, row: dict[str, float]) -> bool:
        """Return whether the target is reached, and note when."""
        target = self._target
        reached = target is not None and target.is_reached(row[target.metric])
        if reached and self.reached is None:
            self.reached = {k: row[k] for k in ("updates", "seconds")}
        return reached

    def _values(self) -> dict[str, float]:
        """Return what `evaluate` returns."""
        with self.beside_training(), undisturbed(self.model):
            values = evaluate_batches(self.model, self._batches)
        return {k: float(f"{v:.7g}") for k, v in values.items()}

    def _mean_since_last(self) -> float:
        """Return the mean training loss since the last evaluation."""
        done, total = self._at_last
        now = self._mean * self._done  # Keras gives the mean of all batches so far
        self._at_last = self._done, now
        return float(f"{(now - total) / max(1, self._done - done):.6g}")

    def _finish(self, why: str) -> None:
        self.end = why
        self.model.stop_training = True

    @property
    def step_seconds(self) -> float:
        """Mean seconds of an update after the first."""
        rest = self._spent[1:] or self._spent
        return sum(rest) / max(1, len(rest))

    @property
    def seconds(self) -> float:
        """Seconds of all updates so far."""
        return self.step_seconds + sum(self._spent[1:])

    @property
    def first_seconds(self) -> float:
        """Seconds of the first update."""
        return self._spent[0] if self._spent else math.nan
