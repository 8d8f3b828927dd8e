"""Gradient clipping during `fit`, with a scheduled limit and a clipped fraction."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.callbacks.base.statistics import StatisticsCallback
from keras_optlab.core.arguments import number, optional_schedule
from keras_optlab.core.retrace import retrace
from keras_optlab.engine import CLIPPINGS
from keras_optlab.schedules import Scaled

ARGUMENTS = {
    "value": "clipvalue",
    "norm": "clipnorm",
    "global_norm": "global_clipnorm",
    "adaptive": "adaptive_clipnorm",
}


class GradientClipping(StatisticsCallback):
    r"""Gradient clipping during `fit`, also for an optimizer constructed without it.

    Exactly one of the four limits $c$ is given. With a `schedule` $f$ the limit of
    update $t$ is $c f(t)$, inside the compiled step. The limit replaces the optimizer's
    own limit of the same kind; after training the optimizer clips as before.

    Reports `logs["clipped_fraction"]` after each epoch: the fraction of the weights'
    gradients that were clipped, averaged over the recorded steps.

    Args:
        value: clip each entry of the gradients to $[-c, c]$; > 0.
        norm: clip each weight's gradient to this Euclidean norm; > 0.
        global_norm: clip the norm of all gradients together to this norm; > 0.
        adaptive: clip each unit's gradient to this fraction of the norm of its weights,
            as in `transforms.AdaptiveClip`; > 0.
        schedule: a factor on the limit, as a schedule over updates.
        every: steps between two records of the clipped fraction; integer >= 1.
        optimizer: the optimizer whose gradients to clip, if a custom training step uses
            another one than the model's; `None` is the model's.

    Raises:
        TypeError: if not exactly one limit is given, or an argument has a wrong type;
            in `fit`, if the optimizer is not from keras_optlab.
        ValueError: if a limit is out of range; in `fit`, if the optimizer has a limit
            of another kind, or another callback drives the same limit.
        AttributeError: in `fit`, if the optimizer's own limit follows a schedule.

    Warns:
        UserWarning: once, if the optimizer takes no step in an epoch.

    Source:
        Pascanu, Mikolov and Bengio, 2013, arXiv:1211.5063; Brock, De, Smith and
        Simonyan, 2021, arXiv:2102.06171, for `adaptive`.

    Example:
        >>> import keras
        >>> from keras_optlab import optimizers
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile(optimizers.SGD(0.1), loss="mse")
        >>> x, y = np.ones((4, 3)), 99 * np.ones((4, 1))
        >>> clipping = GradientClipping(global_norm=1.0)
        >>> history = model.fit(x, y, verbose=0, callbacks=[clipping])
        >>> history.history["clipped_fraction"]
        [1.0]
    """

    useless = "clipping its gradients changes nothing"
    hints = {
        "clipvalue": "Write `value`.",
        "clipnorm": "Write `norm`.",
        "max_norm": "Write `norm`, or `global_norm` for all gradients together.",
        "global_clipnorm": "Write `global_norm`.",
        "adaptive_clipnorm": "Write `adaptive`.",
    }

    def __init__(
        self,
        *,
        value: float | None = None,
        norm: float | None = None,
        global_norm: float | None = None,
        adaptive: float | None = None,
        schedule: LearningRateSchedule | None = None,
        every: int = 50,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        super().__init__(every, optimizer=optimizer)
        limits = dict(zip(ARGUMENTS, (value, norm, global_norm, adaptive), strict=True))
        given = {k: v for k, v in limits.items() if v is not None}
        if len(given) != 1:
            received = ", ".join(f"{k}={v!r}" for k, v in given.items()) or "none"
            raise TypeError(
                f"Exactly one of {', '.join(ARGUMENTS)} must be given. "
                f"Received: {received}. To combine several, construct the optimizer "
                "with `gradient_transforms`."
            )
        (argument, limit), *_ = given.items()
        self.name = ARGUMENTS[argument]
        self._limit = number(argument, limit, "> 0", "limit of the clipping")
        self.schedule = optional_schedule(schedule, "the limit")
        self._running = False
        self._fractions: list[float] = []

    @property
    def limit(self) -> float:
        """The current limit; without a schedule it can be set at any time."""
        if self._running:
            return self.required_optimizer.current(self.name)
        return self._limit

    @limit.setter
    def limit(self, value: float) -> None:
        value = number("limit", value, "> 0", "limit of the clipping")
        if self._running:
            self.required_optimizer.adjust(self.name, value)
        self._limit = value

    def driven_values(self) -> dict[str, float]:
        """Return the optimizer's limit."""
        return {self.name: self.limit}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Switch the clipping on."""
        ours = self.required_optimizer
        super().on_train_begin(logs)
        others = [k for k in CLIPPINGS if k != self.name]
        for name in others:
            if ours.current(name) is not None:
                raise ValueError(
                    "The optimizer already clips with another kind of limit. Received: "
                    f"{self.name} in {type(self).__name__}, and an optimizer with "
                    f"{name}={ours.current(name)!r}. Leave one out."
                )
        limit = Scaled(self.schedule, self._limit) if self.schedule else self._limit
        ours.drive(self.name, limit)
        self._running = True
        retrace(self.model, "train")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reset the mean over the epoch."""
        super().on_epoch_begin(epoch, logs)
        self._fractions = []

    def on_steps(self, metrics: Any) -> None:  # noqa: ARG002
        """Collect the clipped fractions of the new records."""
        self._fractions += [s.clipped_fraction for s in self.new_statistics()]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report the mean over the epoch."""
        super().on_epoch_end(epoch, logs)
        if logs is not None and self._fractions:
            logs["clipped_fraction"] = float(np.mean(self._fractions))
        self._fractions = []

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Let the optimizer clip as before."""
        super().on_train_end(logs)
        self._end()

    def on_train_interrupted(self) -> None:
        """Let the optimizer clip as before."""
        super().on_train_interrupted()
        self._end()

    def _end(self) -> None:
        if self._running:
            self._running = False
            self.required_optimizer.release(self.name)
            retrace(self.model, "train")
