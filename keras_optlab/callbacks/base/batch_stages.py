"""Stages of a batch ramp: the window and the rate, from a schedule of the rate."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.numerics import scalar_dtype
from keras_optlab.schedules.base import value_of

NEARLY = 1e-6  # a value that is larger than a half by such a share counts as a half
SMALLEST = (
    2.0**-60
)  # share of the largest value that counts as this for all smaller ones
POINTS = 1000  # at which a schedule from elsewhere is evaluated


class Stage(NamedTuple):
    """Consecutive updates with the same window.

    Attributes:
        update: the first of them, counted from 0.
        batch: the first of their micro-batches, counted from 0.
        accumulation_steps: micro-batches of each update.
        learning_rate: their learning rate; the first one in the warm-up.
    """

    update: int
    batch: int
    accumulation_steps: int
    learning_rate: float


def stages_of(
    values: np.ndarray,
    window: int,
    factor: float = 2.0,
    most: int | None = None,
    batches: int | None = None,
    final: float | None = None,
) -> list[Stage]:
    """Return the stages of a ramp.

    Args:
        values: The learning rate of each update with a constant window.
        window: Micro-batches k of each of these updates.
        factor: Ratio of the windows of two stages, and of the values that begin them.
        most: Largest window, or `None`.
        batches: Number of all micro-batches; `None` is `window` for each value.
        final: The learning rate after all of them, if there may be updates.

    >>> halved = np.array([4.0] * 4 + [2.0] * 4)
    >>> [tuple(s) for s in stages_of(halved, 3)]
    [(0, 0, 3, 4.0), (4, 12, 6, 2.8284271247461903)]
    """
    total = len(values) * window if batches is None else batches
    peak, top = float(np.max(values)), int(np.argmax(values))
    levels = _levels(values / peak if peak else np.ones_like(values), factor)
    changes = ((np.flatnonzero(np.diff(levels)) + 1) * window).tolist()
    stages = [Stage(0, 0, window, float(values[0]))] if top else []
    update, batch = top, top * window
    while batch < total:
        level = int(levels[min(batch // window, len(levels) - 1)])
        k = round(min(window * factor**level, most or math.inf, total - batch))
        # until the level changes, but without a window beyond the data
        end = next((c for c in changes if c > batch), total)
        count = max(min(-(-(end - batch) // k), (total - batch) // k), 1)
        rate = peak * factor**-level * math.sqrt(k / window)
        stages.append(Stage(update, batch, k, rate))
        update, batch = update + count, batch + count * k
    if final is not None:
        k = max(stage.accumulation_steps for stage in stages)
        level = int(_levels(np.array([final / peak if peak else 1.0]), factor)[0])
        rate = peak * factor**-level * math.sqrt(k / window) if final else 0.0
        stages.append(Stage(update, batch, k, rate))
    return stages


def batch_at(stages: list[Stage], update: int) -> int:
    """Return the first micro-batch of an update."""
    stage = [s for s in stages if s.update <= update][-1]
    return stage.batch + (update - stage.update) * stage.accumulation_steps


def _levels(shares: np.ndarray, factor: float) -> np.ndarray:
    """Return how often 1 can be divided by the factor to stay above shares of it."""
    logs = -np.log(np.maximum(shares, SMALLEST)) / math.log(factor)
    return np.floor(logs + NEARLY).astype(int)


def values_at_updates(schedule: Any, n: int) -> np.ndarray:
    """Return the values of a schedule at the first `n` updates.

    A schedule that keras_optlab does not define is evaluated at up to `POINTS` updates,
    and keeps each value until the next one.
    """
    if hasattr(schedule, "formula"):
        return np.asarray(value_of(schedule, np.arange(n, dtype="float64"), np))
    at = np.unique(np.linspace(0, n - 1, min(n, POINTS)).astype(int))
    if keras.backend.backend() == "jax":  # one trace; each call would trace conditions
        found = ops.map(schedule, ops.convert_to_tensor(at, "int32"))
    else:
        found = ops.stack([ops.convert_to_tensor(schedule(int(i))) for i in at])
    values = ops.convert_to_numpy(found).astype("float64")
    return values[np.searchsorted(at, np.arange(n), side="right") - 1]


class StagedValue(LearningRateSchedule):
    """One column of the stages, as a schedule over updates.

    Args:
        stages: The stages.
        column: `"accumulation_steps"` or `"learning_rate"`.
        first: The update at which the first stage begins.
        warm_up: The schedule that gives the first stage its values, or `None`.
    """

    def __init__(
        self, stages: list[Stage], column: str, first: int = 0, warm_up: Any = None
    ) -> None:
        self.begins = np.array([s.update for s in stages[1:]], "int64")
        self.column = np.array([getattr(s, column) for s in stages], "float64")
        self.first, self.warm_up = first, warm_up
        self.horizon = first + int(stages[-1].update) + 1

    def __call__(self, step: Any) -> Any:
        """Return the value at an update."""
        if isinstance(step, int | float | np.generic):
            step = max(int(step) - self.first, 0)
            at = int(np.searchsorted(self.begins, step, side="right"))
            if at == 0 and self.warm_up is not None:
                return float(ops.convert_to_numpy(self.warm_up(step)))
            return float(self.column[at])
        step = ops.convert_to_tensor(step)
        step = ops.maximum(step - ops.cast(self.first, step.dtype), 0)
        at = ops.sum(ops.cast(step >= ops.cast(self.begins, step.dtype), "int32"))
        value = ops.take(ops.convert_to_tensor(self.column, scalar_dtype()), at)
        if self.warm_up is None:
            return value
        rising = ops.cast(value_of(self.warm_up, step, ops), value.dtype)
        return ops.where(at == 0, rising, value)

    def get_config(self) -> dict[str, Any]:
        """Return nothing: it lasts for one `fit`, and is never saved."""
        return {}
