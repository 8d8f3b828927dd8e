"""`Problem`: a training to compare optimizers on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_optlab.core.errors import shown
from keras_optlab.stopping.direction import check_mode


class Data(NamedTuple):
    """Arrays for training, for choosing settings, and for the final test.

    Attributes:
        train: `(x, y)`: arrays, or trees of arrays, with the rows first.
        validation: `(x, y)`; `None` if the training loss is what counts.
        test: `(x, y)`; `None` is the validation data.
    """

    train: tuple[Any, Any]
    validation: tuple[Any, Any] | None = None
    test: tuple[Any, Any] | None = None

    @property
    def rows(self) -> int:
        """The number of rows for training."""
        return len(keras.tree.flatten(self.train[0])[0])


@dataclass(frozen=True)
class Target:
    """A value of a metric that a training should reach.

    Attributes:
        metric: Name of the metric on the evaluated data, `"loss"` or `"accuracy"`.
        value: The value to reach.
        mode: `"min"`, `"max"`, or `"auto"`: by the metric's name, as in callbacks.

    >>> Target("accuracy", 0.98).is_reached(0.981), Target("loss", 0.1).mode
    (True, 'min')
    """

    metric: str
    value: float
    mode: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", check_mode(self.metric, self.mode))

    def is_reached(self, value: float) -> bool:
        """Return whether a value is at least as good as the target."""
        return value >= self.value if self.mode == "max" else value <= self.value


@dataclass(frozen=True)
class Problem:
    """A model, its data, and how long it is trained: what optimizers are compared on.

    Args:
        model: Returns a new model, not compiled. It is called after the seed is set.
        data: `Data`, or a function that returns it. `(x, y)` is split by the lab: 70 %
            of the rows for training, 15 % for validation, 15 % for the test.
        loss: As in `compile`. `None`: `model` returns compiled models, and their loss
            and metrics are used.
        metrics: As in `compile`.
        target: The value to reach, measured on the validation data while settings are
            chosen, and on the test data in the end. `None` compares final values only.
        monitor: Name of the metric that is compared at the end of the training.
            Defaults to that of the target, or `"loss"`.
        mode: `"min"`, `"max"`, or `"auto"`: by the name of `monitor`.
        batch_size: Rows in a batch; integer >= 1.
        epochs: Length of a training; > 0, not necessarily an integer.
        evaluate_every: Updates between two evaluations; integer >= 1. `None` is an
            epoch.
        name: How to call it.
        summary: What it is; one line.

    Example:
        >>> import keras, numpy as np
        >>> x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
        >>> def model():
        ...     return keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> problem = Problem(model, data=(x, x[:, :1]), loss="mse", epochs=2)
        >>> problem.updates, problem.monitor
        (9, 'loss')
    """

    model: Callable[[], keras.Model]
    data: Any
    loss: Any
    metrics: Sequence[Any] = ()
    target: Target | None = None
    monitor: str = ""
    mode: str = "auto"
    batch_size: int = 32
    epochs: float = 10
    evaluate_every: int | None = None
    name: str = "problem"
    summary: str = ""

    def __post_init__(self) -> None:
        if not callable(self.model):
            raise TypeError(
                "`model` must be a function that returns a new model. "
                f"Received: model={shown(self.model)}"
            )
        _positive("batch_size", self.batch_size, int)
        _positive("epochs", self.epochs, (int, float))
        if self.evaluate_every is not None:
            _positive("evaluate_every", self.evaluate_every, int)
        target = self.target
        if not self.monitor:
            object.__setattr__(self, "monitor", target.metric if target else "loss")
        if target is not None and target.metric == self.monitor:
            object.__setattr__(self, "mode", target.mode)
        object.__setattr__(self, "mode", check_mode(self.monitor, self.mode))

    @functools.cached_property
    def splits(self) -> Data:
        """The data, split; loaded when first read."""
        data = self.data() if callable(self.data) else self.data
        if isinstance(data, Data):
            return data
        if isinstance(data, tuple) and len(data) == 2:
            return split(*data)
        raise TypeError(
            "`data` must be lab.Data, (x, y), or a function that returns one of them. "
            f"Received: data={shown(data)}"
        )

    @property
    def updates_per_epoch(self) -> float:
        """Updates in which as many rows are seen as there are."""
        return self.splits.rows / min(self.batch_size, self.splits.rows)

    @property
    def updates(self) -> int:
        """Updates in a training of `epochs`."""
        return max(1, round(self.epochs * self.updates_per_epoch))

    def with_changes(self, **changes: Any) -> Problem:
        """Return the problem with other fields; `target` may be the value alone."""
        value = changes.get("target")
        if self.target is not None and isinstance(value, int | float):
            changes["target"] = replace(self.target, value=value)
        return replace(self, **changes)


def split(x: Any, y: Any, seed: int = 0) -> Data:
    """Return 70 % of the rows for training, 15 % for validation, 15 % for the test.

    >>> import numpy as np
    >>> split(np.arange(20.0), np.arange(20.0)).rows
    14
    """
    rows = len(keras.tree.flatten(x)[0])
    order = np.random.RandomState(seed).permutation(rows)
    parts = np.split(order, [round(0.7 * rows), round(0.85 * rows)])

    def part(chosen: np.ndarray) -> tuple[Any, Any]:
        return keras.tree.map_structure(lambda a: np.asarray(a)[chosen], (x, y))

    return Data(*(part(chosen) for chosen in parts))


def _positive(name: str, value: Any, kind: Any) -> None:
    if not isinstance(value, kind) or isinstance(value, bool) or value <= 0:
        what = "an integer" if kind is int else "a number"
        raise ValueError(f"`{name}` must be {what} > 0. Received: {name}={value!r}")
