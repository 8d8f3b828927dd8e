"""Bases of the criteria for stopping."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import keras

from keras_optlab.core import Declared, Hyper
from keras_optlab.core.errors import shown


class Criterion(Declared):
    """A criterion for stopping, judged on the recorded values of a metric.

    It works without `fit`: `start`, then `update` with each value. `EarlyStopping`
    calls both. A subclass declares its arguments, sets its first state in `reset`, and
    returns from `decide` why to stop:

    >>> from keras_optlab.core import Hyper
    >>> class Swing(Criterion):
    ...     "Stops when a value differs from the last one by more than `most`."
    ...     most: float = Hyper(default=1.0, doc="largest change", adjustable=False)
    ...     def reset(self):
    ...         self.last = None
    ...     def decide(self, value, train_value, position):
    ...         before, self.last = self.last, value
    ...         self.figure = None if before is None else abs(value - before)
    ...         if before is not None and self.figure > self.most:
    ...             return f"{self.metric} changed by {self.figure:.6g}"
    >>> swing = Swing(most=0.5)
    >>> swing.start(metric="val_loss")
    >>> [swing.update(value) for value in (1.0, 0.75, 2.0)]
    [None, None, 'val_loss changed by 1.25']
    >>> swing.get_config(), swing.get_state()["last"]
    ({'most': 0.5}, 2.0)

    Attributes:
        modes: the modes that the criterion works with.
        needs_validation: whether it judges validation only, so that the monitored
            metric must begin with `val_`.
        needs_training: whether it also reads the metric of the training data.
        counts_in: the unit of `position`: `"values"`, `"steps"` or `"seconds"`.
        not_state: attributes that `get_state` leaves out.
        mode: `"min"` if a lower value is better, `"max"` if a higher one is.
        metric: name of the metric, for the reason.
        count: number of values since `start`.
        figure: the number that the criterion compares with its limit, or `None`;
            `TensorBoard` and `Monitor` show it.
    """

    modes: ClassVar[tuple[str, ...]] = ("min", "max")
    needs_validation: ClassVar[bool] = False
    needs_training: ClassVar[bool] = False
    counts_in: Any = "values"
    not_state: ClassVar[tuple[str, ...]] = ("_values",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.start(self.modes[0])

    def start(
        self, mode: str = "min", metric: str = "the value", position: float = 0
    ) -> None:
        """Forget all values.

        Args:
            mode: `"min"` if a lower value is better, `"max"` if a higher one is.
            metric: name of the metric, for the reason.
            position: where the recording begins, in the unit `counts_in`.

        Raises:
            ValueError: if the criterion does not work with this mode.
        """
        if mode not in self.modes:
            raise ValueError(
                f"{type(self).__name__} needs a metric with "
                f"mode={' or '.join(map(repr, self.modes))}. Received: "
                f"monitor={shown(metric)}, mode={shown(mode)}. Monitor a loss or an "
                "error, or use Patience, Rising or Plateau."
            )
        self.mode, self.metric = mode, metric
        self.count, self.begin = 0, position
        self.figure: float | None = None
        self.reset()

    def reset(self) -> None:
        """Set the state that `decide` changes to its first value."""

    def update(
        self,
        value: float,
        train_value: float | None = None,
        position: float | None = None,
    ) -> str | None:
        """Record a value; return in one line why to stop, or `None`.

        Args:
            value: the new value of the metric.
            train_value: the same metric of the training data, if `needs_training`.
            position: where the value was taken, in the unit `counts_in`; `None` counts
                the values.
        """
        self.count += 1
        at = self.begin + self.count if position is None else position
        return self.decide(value, train_value, at)

    def decide(
        self, value: float, train_value: float | None, position: float
    ) -> str | None:
        """Return in one line why to stop, or `None`; a subclass implements this."""
        raise NotImplementedError

    def get_state(self) -> dict[str, Any]:
        """Return a copy of what was recorded since `start`, by attribute name."""
        state = {k: v for k, v in vars(self).items() if k not in self.not_state}
        return copy.deepcopy(state)

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from the result of `get_state`.

        Raises:
            ValueError: if the state is that of another kind of criterion.
        """
        own = self.get_state().keys()
        if state.keys() != own:
            raise ValueError(
                f"The state must have the entries {sorted(own)}, as "
                f"{type(self).__name__}.get_state() returns them. Received: "
                f"{sorted(state)}"
            )
        vars(self).update(copy.deepcopy(state))


class MeasuredCriterion(Criterion):
    """A criterion that measures its own value on the model, every few steps.

    It needs no monitored metric. `EarlyStopping` calls `prepare` before training, then
    `update(measure(model), position=step)` whenever a multiple of `every` was passed.

    Args:
        every: steps between two measurements; integer >= 1. Defaults to 100.
    """

    every: int = Hyper(
        default=100,
        within=">= 1",
        integer=True,
        adjustable=False,
        doc="steps between two measurements",
        kw_only=True,
    )

    def prepare(self, model: keras.Model) -> None:
        """Check before training that the model can be measured, or raise."""

    def measure(self, model: keras.Model) -> float:
        """Return the value at the model's present weights, changing nothing."""
        raise NotImplementedError
