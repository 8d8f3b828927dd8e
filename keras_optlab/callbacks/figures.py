"""What there is to see of a training after a step, as numbers under tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.callbacks.moving import Moving
from keras_optlab.callbacks.recording import Recording
from keras_optlab.engine import Optimizer
from keras_optlab.tensorboard.tags import metric_tags, statistics_tags


class Figures(Recording):
    """Gathers the figures that `TensorBoard` logs and `Monitor` keeps.

    Args:
        every: steps between two points, as of `StepCallback`.
        statistics_every: steps between two records of norms, as of `Recording`.
        histograms_every: steps between two histograms, as of `Recording`.

    Attributes:
        position: Steps trained, on an axis that goes on in a second `fit`, also if the
            model has been compiled anew with an optimizer that counts from 0.
    """

    def __init__(
        self,
        every: int,
        statistics_every: int | None = None,
        histograms_every: int | None = None,
    ) -> None:
        super().__init__(every, statistics_every, histograms_every)
        self._before = 0  # steps before those that the optimizer counts

    @property
    def position(self) -> int:
        """Steps trained, also by an optimizer before this one."""
        return self._before + self.step

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Go on from where the last `fit` ended, and see what is set."""
        last = self.position
        super().on_train_begin(logs)
        self._before = max(0, last - self.step)
        engine = self.engine
        if engine is not None:
            self._moving, self._skips = Moving(engine), _skips(engine)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Act on the last batches of the epoch, if they are due."""
        # What the validation, other callbacks and a `train_step` of one's own add to
        # the logs is no mean over the steps.
        known = self.model.get_metrics_result()
        metrics = {k: v for k, v in (logs or {}).items() if k in known}
        super().on_epoch_end(epoch, metrics)

    def figures(self, metrics: Mapping[str, Any]) -> dict[int, dict[str, float]]:
        """Return numbers by tag, for each position that has any.

        Args:
            metrics: Loss and metrics, mean over the epoch so far.
        """
        tags = metric_tags("step", metrics)
        rate = self.learning_rate()
        if rate is not None:
            tags["optimizer/learning_rate"] = rate
        driven = {k: v for c in self.companions for k, v in c.driven().items()}
        engine = self.engine
        if engine is not None:
            driven |= self._moving.values(engine)
            tags |= self._skipped(engine)
        driven.pop("learning_rate", None)
        tags |= {f"hyperparameter/{k}": v for k, v in sorted(driven.items())}
        points = self.measured()
        points[self.position] = tags | points.get(self.position, {})
        return points

    def measured(self) -> dict[int, dict[str, float]]:
        """Return the new norms by tag, for each position that has any."""
        offset, name = self.offset, self.model.name
        new = self.new_statistics()
        return {offset + s.step: statistics_tags(s, name) for s in new}

    def learning_rate(self) -> float | None:
        """Return the rate of the next step, if the optimizer has one for all."""
        if self.engine is not None:
            return self.engine.current_learning_rate
        rate = getattr(self.model.optimizer, "learning_rate", None)
        return None if rate is None else float(keras.ops.convert_to_numpy(rate))

    def skipped_steps(self) -> int:
        """Return how many steps the optimizer has skipped, if it counts them."""
        return 0 if self.engine is None else int(_number(self.engine.skipped_steps))

    @property
    def offset(self) -> int:
        """What to add to the number of an update to get its position."""
        updates = self.step if self.engine is None else _number(self.engine.updates)
        return self.position - int(updates)

    def _skipped(self, engine: Optimizer) -> dict[str, float]:
        """Return how many steps were skipped, in all and since the last point."""
        (skipped, steps), before = _skips(engine), self._skips
        self._skips = skipped, steps
        new = (skipped - before[0]) / max(1, steps - before[1])
        return {"optimizer/skipped_fraction": new, "optimizer/skipped_steps": skipped}


def _skips(engine: Optimizer) -> tuple[float, float]:
    """Return the numbers of gradients that were skipped, and that came."""
    return _number(engine.skipped_steps), _number(engine.micro_steps)


def _number(variable: Any) -> float:
    return float(keras.ops.convert_to_numpy(variable))
