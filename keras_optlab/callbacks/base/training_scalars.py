"""Scalars to log at a step, by TensorBoard tag."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.callbacks.base.changing_hyperparameters import ChangingHyperparameters
from keras_optlab.callbacks.base.optimizer_access import named_optimizers
from keras_optlab.callbacks.base.statistics import StatisticsCallback
from keras_optlab.callbacks.base.throughput import ExampleCount, PeakMemory, Throughput
from keras_optlab.engine import Optimizer, find_optimizer
from keras_optlab.tensorboard.tags import metric_tags, statistics_tags

# Attributes that a resumed training goes on with.
STATE = (
    "_before",
    "_begun",
    "_ended",
    "_first",
    "_gradients",
    "_moved",
    "_point",
    "_received",
    "_seen",
    "_seen_histograms",
    "_skips",
    "_stride",
    "_warned_of_no_step",
    "step",
)


class TrainingScalars(StatisticsCallback):
    """A callback that collects the scalars that `TensorBoard` and `Monitor` log.

    Args:
        every: steps between two points, as in `StepCallback`.
        statistics_every: steps between two records of norms.
        histograms_every: steps between two histograms.
        optimizer: the optimizer to log; `None` is the model's.

    Attributes:
        position: Steps trained, the x-axis. It continues in a second `fit`, also if the
            model was recompiled with an optimizer that counts from 0.
        clock: Returns the current time in seconds.
    """

    clock = staticmethod(time.perf_counter)
    useless = "its learning rate and statistics are not logged"

    def __init__(
        self,
        every: int,
        statistics_every: int | None = None,
        histograms_every: int | None = None,
        optimizer: Any = None,
    ) -> None:
        super().__init__(every, statistics_every, histograms_every, optimizer)
        self._before = 0  # steps that earlier optimizers took
        self._point = 0, 0, 0  # updates, skipped steps and position at the last point
        self._stride = 1.0  # positions from one update to the next
        self._taken: dict[int, int] = {}  # recorded scalars, by companion
        self._examples, self._memory = ExampleCount(), PeakMemory()
        self._test_began: float | None = None

    @property
    def position(self) -> int:
        """Steps trained, including those of earlier optimizers."""
        return self._before + self.step

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Continue the position of the last `fit`; read the hyperparameters."""
        last = self.position
        super().on_train_begin(logs)
        self._before = max(0, last - self.step)
        self._taken = {}
        self._throughput = Throughput(self.clock)
        self._examples, self._memory = ExampleCount(), PeakMemory()
        ours = self.our_optimizer
        if ours is not None:
            self._moving, self._skips = ChangingHyperparameters(ours), skips(ours)
            self._point = *_counts(ours), self.position

    def on_validation(self, metrics: Mapping[str, Any]) -> None:
        """Log the values of a validation at the current step; a subclass does."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the examples of the epoch."""
        super().on_epoch_begin(epoch, logs)
        self._examples.begin_epoch()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Stop the clock while `fit` validates."""
        self._examples.end_epoch(self.model)
        self._test_began = self.clock()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Let the clock go on."""
        if self._test_began is not None:
            self.seconds_beside += self.clock() - self._test_began

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Call `on_steps` if it is due, and log a validation that has just ended."""
        super().on_train_batch_begin(batch, logs)
        self._log_validation()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Call `on_steps` if it is due, and log a validation that has just ended."""
        # Validation, other callbacks and a custom `train_step` add values to the logs
        # that are not means over the steps.
        known = self.model.get_metrics_result()
        metrics = {k: v for k, v in (logs or {}).items() if k in known}
        self._examples.end_epoch(self.model)
        super().on_epoch_end(epoch, metrics)
        self._log_validation()

    def figures(self, metrics: Mapping[str, Any]) -> dict[int, dict[str, float]]:
        """Return the scalars by tag, for each position that has any.

        Args:
            metrics: Loss and metrics, mean over the epoch so far.
        """
        tags = metric_tags("step", metrics)
        for name, rate in self.learning_rates().items():
            tags[f"optimizer/learning_rate/{name}".removesuffix("/")] = rate
        driven = {
            f"{self._whose(c)}{k}": v
            for c in self.companions
            for k, v in c.driven_values().items()
        }
        ours = self.logged_optimizer
        if ours is not None:
            driven |= self._moving.values(ours)
            tags |= self._skipped(ours)
        driven.pop("learning_rate", None)
        tags |= {f"hyperparameter/{k}": v for k, v in sorted(driven.items())}
        tags |= self._speed()
        points = self.measured()
        points[self.position] = tags | points.get(self.position, {})
        return points

    def _speed(self) -> dict[str, float]:
        """Return the tags of throughput and memory."""
        model = self.model
        examples = None if self.trains_without_steps else self._examples.total(model)
        beside = sum(c.seconds_beside for c in self.companions)
        speed = self._throughput.measure(self.position, examples, beside)
        return speed | self._memory.measure(model)

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed training goes on with.

        Records that are not logged yet are in the state of the optimizer.
        """
        state = {name: vars(self)[name] for name in STATE if name in vars(self)}
        moving = sorted(self._moving.moved) if hasattr(self, "_moving") else []
        return state | {"taken": dict(self._taken), "moving": moving}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where the saved training was."""
        for name in STATE:
            if name in state:
                setattr(self, name, state[name])
        self._taken = dict(state["taken"])
        if hasattr(self, "_moving"):
            self._moving.moved |= set(state["moving"])

    def measured(self) -> dict[int, dict[str, float]]:
        """Return the new norms by tag, for each position that has any."""
        ours = self.logged_optimizer
        if ours is None:
            return {}
        self._move_point(*_counts(ours))
        name, new = self.model.name, self.new_statistics()
        return {self.position_of(s.step): statistics_tags(s, name) for s in new}

    def new_recorded(self) -> dict[int, dict[str, float]]:
        """Return what other callbacks have recorded since the last call, by tag.

        Its positions may be before the present one.
        """
        points: dict[int, dict[str, float]] = {}
        for i, callback in enumerate(self.companions):
            new = callback.recorded[self._taken.get(i, 0) :]
            self._taken[i] = len(callback.recorded)
            for step, tags in new:
                points.setdefault(self._before + step, {}).update(tags)
        return dict(sorted(points.items()))

    def position_of(self, update: int) -> int:
        """Return the position of an update; a step may make several updates."""
        last, _, position = self._point
        return position - int((last - update) * self._stride + 1e-9)

    def learning_rates(self) -> dict[str, float]:
        """Return the rate of the next step, by optimizer name (`""` if only one)."""
        if self.model_optimizer_is_idle:
            return {}
        rates = {}
        for name, optimizer in named_optimizers(self.optimizer).items():
            ours = find_optimizer(optimizer)
            rate = getattr(optimizer, "learning_rate", None)
            if ours is not None:
                rates[name] = ours.current_learning_rate
            elif rate is not None:
                rates[name] = _number(rate)
        return rates

    def _log_validation(self) -> None:
        for callback in self.companions:
            if callback.new_values:
                self.on_validation(callback.new_values)

    def _whose(self, callback: Callback) -> str:
        """Return the tag prefix for another optimizer that a callback drives."""
        other = getattr(callback, "given_optimizer", None)
        return "" if other in (None, self.optimizer) else f"{other.name}."

    @property
    def logged_optimizer(self) -> Optimizer | None:
        """The optimizer, if it is from keras_optlab and takes steps."""
        return None if self.model_optimizer_is_idle else self.our_optimizer

    def _move_point(self, updates: int, skipped: int) -> None:
        before, skipped_before, position = self._point
        if updates > before and self.position > position:
            self._stride = (self.position - position) / (updates - before)
            if skipped > skipped_before:  # skipped steps have a position, but no update
                self._stride = min(1.0, self._stride)
        self._point = updates, skipped, self.position

    def _skipped(self, ours: Optimizer) -> dict[str, float]:
        """Return the tags of skipped steps: fraction since the last point, total."""
        (skipped, steps), before = skips(ours), self._skips
        self._skips = skipped, steps
        new = (skipped - before[0]) / max(1, steps - before[1])
        return {"optimizer/skipped_fraction": new, "optimizer/skipped_steps": skipped}


def _counts(ours: Optimizer) -> tuple[int, int]:
    """Return the numbers of updates and of skipped steps."""
    return int(_number(ours.updates)), int(_number(ours.skipped_steps))


def clips(ours: Optimizer) -> bool:
    """Return whether an optimizer clips gradients or updates."""
    limits = ours.clipnorm, ours.clipvalue, ours.global_clipnorm
    given = any(limit is not None for limit in limits)
    return given or any(transform.clips for transform in ours.transforms)


def skips(ours: Optimizer) -> tuple[float, float]:
    """Return the numbers of skipped and of received gradients."""
    return _number(ours.skipped_steps), _number(ours.micro_steps)


def _number(variable: Any) -> float:
    return float(keras.ops.convert_to_numpy(variable))
