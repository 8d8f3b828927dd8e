"""Stopping after a wait without improvement."""

from __future__ import annotations

from typing import Any

from keras_optlab.core import Choice, Hyper
from keras_optlab.core.errors import shown
from keras_optlab.stopping.base import Criterion
from keras_optlab.stopping.wait import Wait


class Patience(Criterion):
    """Stops when the metric has not improved for some values, steps or seconds.

    With mode `"min"`, a value improves if it is < best - `min_delta`, and is then the
    best. Stops as soon as the distance from the last improvement is >= `patience`. A
    NaN never improves.

    Args:
        patience: the longest wait; >= 0 (0 stops at the first value without
            improvement), in `unit`, an integer unless in seconds. Defaults to 5.
        min_delta: an improvement by this much or less does not count; >= 0, in units of
            the metric. Defaults to 0.
        unit: `"values"` of the metric (one per epoch, or per validation), `"steps"` or
            `"seconds"`. Defaults to `"values"`.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument has a wrong type.

    Source:
        Common practice; it is not among the criteria of Prechelt, 1998, whose UP is
        `Rising`.

    Differs from `EarlyStopping(patience=...)`: that one can count epochs while the
    metric is read every few steps.

    Example:
        >>> patience = Patience(2)
        >>> patience.start(metric="val_loss")
        >>> [patience.update(value) for value in (3.0, 2.0, 2.5, 2.5)]
        [None, None, None, 'val_loss has not improved for 2 values']
    """

    patience: float = Hyper(
        default=5.0, within=">= 0", adjustable=False, doc="longest wait"
    )
    min_delta: float = Hyper(
        default=0.0,
        within=">= 0",
        adjustable=False,
        doc="smallest improvement that counts",
    )
    unit: str = Choice(
        default="values", choices=("values", "steps", "seconds"), doc="unit of the wait"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.unit != "seconds" and not self.patience.is_integer():
            raise TypeError(
                f"`patience` (longest wait) must be an integer >= 0 in {self.unit}. "
                f"Received: patience={shown(self.patience)}"
            )

    @property
    def counts_in(self) -> str:
        """The unit of `position`."""
        return self.unit

    def reset(self) -> None:
        """Forget the best value and begin to wait."""
        self._wait = Wait(self.mode, self.patience, self.min_delta, self.begin)

    def decide(
        self, value: float, train_value: float | None, position: float
    ) -> str | None:
        """Return why to stop if the wait is over."""
        del train_value
        self._wait.update(value, position)
        self.figure = waited = self._wait.waited
        if not self._wait.exhausted:
            return None
        unit = self.unit[:-1] if waited == 1 else self.unit
        return f"{self.metric} has not improved for {waited:.6g} {unit}"

    def get_state(self) -> dict[str, Any]:
        """Return a copy of what was recorded since `start`, as plain values."""
        state = super().get_state()
        return state | {"_wait": vars(state["_wait"])}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from the result of `get_state`."""
        wait = self._wait
        super().set_state(state)
        vars(wait).update(state["_wait"])
        self._wait = wait
