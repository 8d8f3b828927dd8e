"""Logging to any experiment tracker."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import keras

from keras_optlab.callbacks.base.training_scalars import TrainingScalars
from keras_optlab.core.errors import shown
from keras_optlab.tensorboard.tags import metric_tags


@runtime_checkable
class Tracker(Protocol):
    """What `Track` logs to: an object with one method, `log`.

    A run of Weights & Biases is one. `examples/trackers.py` has those for MLflow and
    Aim.
    """

    def log(self, values: dict[str, float], step: int) -> Any:
        """Log numbers by name at a step; steps do not fall within a training."""


class Track(TrainingScalars):
    """Scalars of a training for a tracker such as W&B, MLflow or Aim.

    The tracker gets the scalars that `TensorBoard` lists, by the same tags:
    `step/<metric>`, `optimizer/...`, `update_ratio/<weight>` and others. With the last
    step of an epoch come `epoch/<metric>`, and `epoch/val_<metric>` of the validation.
    With a `Validate`, `step/val_<metric>` comes with each validation.

    An exception in the tracker does not end the training: it gives one warning, and
    nothing more is logged until the next `fit`. Cost: one wait for the device every
    `every` steps, and what the tracker takes.

    Args:
        tracker: an object with a method `log(values, step)`, called as
            `tracker.log({"step/loss": 0.5}, step=50)`.
        every: steps between two points, the first after step 1; integer >= 1.
        statistics_every: steps between two records of norms; integer >= 1 and >=
            `every` / 64. Defaults to `every`.
        optimizer: the optimizer to log, if a custom training step uses another one than
            the model's: `model.d_optimizer`. `None` is the model's, which is not logged
            while it takes no step.

    Raises:
        TypeError: if the tracker has no method `log`, or an argument a wrong type.
        ValueError: if a number is out of range.

    Warns:
        UserWarning: once for each `fit`, if the tracker raises; once, if the optimizer
            takes no step in an epoch.

    Example:
        >>> import numpy as np
        >>> from keras_optlab import optimizers
        >>> class Printer:
        ...     def log(self, values, step):
        ...         print(step, {k: v for k, v in values.items() if k[:5] == "epoch"})
        >>> model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(optimizers.SGD(0.5), loss="mse")
        >>> x, y = np.zeros((4, 1)), np.ones((4, 1))
        >>> history = model.fit(
        ...     x, y, batch_size=1, callbacks=[Track(Printer(), every=4)], verbose=0)
        1 {}
        4 {}
        4 {'epoch/loss': 1.0}
    """

    hints = {
        "run": "Write `tracker`: an object with a method `log(values, step)`.",
        "freq": "Write `every`: steps between two points.",
        "log_every": "Write `every`: steps between two points.",
    }

    def __init__(
        self,
        tracker: Tracker,
        every: int = 50,
        statistics_every: int | None = None,
        *,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(every, statistics_every, optimizer=optimizer)
        if isinstance(tracker, type) or not callable(getattr(tracker, "log", None)):
            raise TypeError(
                "`tracker` must be an object with a method `log(values, step)`. "
                f"Received: tracker={shown(tracker)}. Wrap it in a class of a few "
                "lines; examples/trackers.py has them for MLflow and Aim."
            )
        self.tracker = tracker
        self._last = 0  # step of the last call
        self._failed = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin to log."""
        super().on_train_begin(logs)
        self._failed = False

    def on_steps(self, metrics: Mapping[str, Any]) -> None:
        """Log a point."""
        self._log(self.figures(metrics))
        self._log(self.new_recorded())

    def on_validation(self, metrics: Mapping[str, Any]) -> None:
        """Log the values of a validation at the current step."""
        self._log({self.position: metric_tags("step", metrics)})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the metrics of the epoch, and a point if one is due."""
        super().on_epoch_end(epoch, logs)
        self._log(self.measured())  # after the last point
        self._log(self.new_recorded())
        self._log({self.position: metric_tags("epoch", logs or {})})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Log what other callbacks have recorded last."""
        super().on_train_end(logs)
        self._log(self.new_recorded())

    def on_train_interrupted(self) -> None:
        """Log what other callbacks have recorded last."""
        super().on_train_interrupted()
        self._log(self.new_recorded())

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed training goes on with."""
        return super().get_state() | {"last": self._last}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where the saved training was; the tracker's own run is the user's."""
        super().set_state(state)
        self._last = state["last"]

    def _log(self, points: Mapping[int, Mapping[str, float]]) -> None:
        """Log points; W&B drops a step before the last one, so none goes back."""
        for position, tags in sorted(points.items()):
            if self._failed or not tags:
                continue
            self._last = max(self._last, position)
            values = {tag: float(value) for tag, value in tags.items()}
            try:
                self.tracker.log(values, step=self._last)
            except Exception as error:
                self._failed = True
                warnings.warn(
                    f"Track: {type(self.tracker).__name__}.log raised {error!r}. "
                    "Training goes on, but is no longer logged; the next `fit` logs "
                    "again.",
                    stacklevel=2,
                )
