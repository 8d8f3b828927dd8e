"""Base class of callbacks that stop training by criteria."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.callbacks.base.criteria import Criteria
from keras_optlab.callbacks.base.metric import MetricCallback
from keras_optlab.callbacks.base.validation import Validation
from keras_optlab.core.errors import shown, suggest
from keras_optlab.engine.backend.keras_hooks import fit_arguments
from keras_optlab.stopping.base import Criterion

PATIENCE = 5  # without criteria


class JudgingCallback(MetricCallback):
    """A callback that gives values and measurements to criteria, and stops by them.

    A subclass calls `judge` in `on_value`, and implements `stop`.

    Args:
        monitor: name of the metric.
        patience: wait without improvement; `None` is 5 without `criteria`, and no
            patience with them.
        min_delta: an improvement by this much or less does not count; >= 0.
        mode: `"min"`, `"max"` or `"auto"`.
        every: steps between two values; `None` takes one at the end of each epoch.
        patience_unit: unit of the patience.
        criteria: criteria for stopping.
        optimizer: the optimizer whose step count to use; `None` is the model's.

    Attributes:
        judged: the criteria by name.
        first_epoch: first epoch, counted from 0, in which criteria are measured.
    """

    first_epoch = 0

    def __init__(
        self,
        monitor: str,
        patience: float | None,
        min_delta: float,
        mode: str,
        every: int | None,
        patience_unit: Any,
        criteria: Sequence[Criterion],
        optimizer: Any = None,
    ) -> None:
        given = PATIENCE if patience is None else patience
        super().__init__(
            monitor, given, min_delta, mode, every, patience_unit, optimizer
        )
        self.judged = Criteria(criteria, self.monitor, self.mode)
        self._points: list[tuple[int, Mapping[str, float]]] = []
        self._train_value_missing = False
        if patience is not None or not criteria:
            return
        self.patience = math.inf
        if patience_unit not in (None, "epochs"):
            raise ValueError(
                "`patience` must be given with `patience_unit`, since with `criteria` "
                "there is none by default. Received: patience=None, "
                f"patience_unit={shown(patience_unit)}"
            )

    @property
    def recorded(self) -> Sequence[tuple[int, Mapping[str, float]]]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The figures of the criteria, each with its step."""
        return self._points

    def stop(self, by: str, why: str) -> None:
        """Stop training; `by` is the name of the criterion."""
        raise NotImplementedError

    def drives(self) -> set[tuple[int, str]]:
        """Return the criteria, so that two callbacks of a `fit` cannot share one."""
        return super().drives() | {(id(c), k) for k, c in self.judged.by_name.items()}

    def start_waiting(self) -> None:
        """Forget the best value and the values of the criteria; restart the wait."""
        super().start_waiting()
        self.judged.start(self._position, self.step)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Reset the state of the previous `fit`; check what the criteria need.

        Raises:
            ValueError: if a criterion will not get what it needs.
        """
        super().on_train_begin(logs)
        self._points = []
        self._train_value_missing = False
        if self.judged.by_name:
            self._check_criteria()

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Read the metric and measure the criteria, if they are due."""
        super().on_train_batch_begin(batch, logs)
        self._measure()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Read the metric of the epoch, and measure the criteria that are due."""
        super().on_epoch_end(epoch, logs)
        self._measure()

    def _check_criteria(self) -> None:
        """Raise before training if a criterion will not get what it needs."""
        model = self.model
        if self.judged.measured and self.trains_without_steps:
            name = next(iter(self.judged.measured))
            raise ValueError(
                f"{name} measures every few steps. Received: a training without steps, "
                "such as fit_full_batch. Leave it out."
            )
        if self._is_unreported():
            if self.judged.judging:
                name, coming = next(iter(self.judged.judging)), Validation.of_this_fit()
                advice = coming.missing if coming else "report it"
                raise ValueError(
                    f"{name} needs the values of a validation. Received: "
                    f"monitor={shown(self.monitor)} in a `fit` that runs none. "
                    f"{advice[0].upper()}{advice[1:]}, or monitor a metric of the "
                    "training data if the criterion can judge one."
                )
            if self.patience == math.inf:
                self._warned = True  # nothing waits for the metric
        self.judged.prepare(model)

    def _is_unreported(self) -> bool:
        """Return whether no validation of this `fit` can report the metric."""
        coming, told = Validation.of_this_fit(), fit_arguments()
        if coming is None or not self.monitor.startswith("val_"):
            return False
        given = told.get("callbacks") or []
        given = getattr(given, "callbacks", given)
        several = given if isinstance(given, list | tuple) else [given]
        ours = "keras", "keras_optlab"
        if any(type(c).__module__.partition(".")[0] not in ours for c in several):
            return False  # the user's own callback may report it
        if any(isinstance(c, Callback) and c.reports(self.monitor) for c in several):
            return False
        return not coming.after(told.get("initial_epoch", 0) - 1)

    def _position(self, unit: str) -> float | None:
        if unit == "values":
            return None
        return self.step if unit == "steps" else self.timer.elapsed

    def judge(self, value: float) -> None:
        """Have the criteria judge a value."""
        if not self.judged.judging:
            return
        train = self._train_value() if self.judged.needs_training else None
        reasons = self.judged.judge(value, train, self._position)
        self._points.append((self.step, self.judged.figures()))
        for name, why in reasons.items():
            self.stop(name, f"{self.position_text()}: {why}")

    def _measure(self) -> None:
        """Measure the criteria that are due."""
        if self.reason or self.epoch < self.first_epoch:
            return
        for name, criterion in self.judged.due(self.step).items():
            value = criterion.measure(self.model)
            why = criterion.update(value, position=self.step)
            self._points.append((self.step, {f"stopping/{name}": value}))
            if why:
                self.stop(name, f"at step {self.step}: {why}")

    def _train_value(self) -> float | None:
        """Return the monitored metric of the training data."""
        name = self.monitor.removeprefix("val_")
        metrics = self.reported if name in self.reported else self._metrics()
        if name in metrics:
            return float(keras.ops.convert_to_numpy(metrics[name]).item())
        if not self._train_value_missing:
            self._train_value_missing = True
            warnings.warn(
                "EarlyStopping: ProgressQuotient needs the metric of the training "
                "data, which `fit` did not report. Received: "
                f"monitor={shown(self.monitor)}. It does not decide. "
                f"{suggest(name, metrics)}",
                stacklevel=2,
            )
        return None
