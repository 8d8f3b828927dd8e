"""The criteria of an `EarlyStopping`, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_optlab.core.errors import shown
from keras_optlab.stopping.base import Criterion, MeasuredCriterion
from keras_optlab.stopping.evidence import Evidence


class Criteria:
    """Criteria by name, any of which may stop the training.

    >>> from keras_optlab.stopping import Patience, Rising
    >>> criteria = Criteria([Patience(9), Patience(1), Rising(2)], "val_loss", "min")
    >>> list(criteria.by_name)
    ['Patience', 'Patience_2', 'Rising']
    >>> criteria.judge(3.0, None, lambda unit: None)
    {}
    >>> criteria.judge(4.0, None, lambda unit: None)
    {'Patience_2': 'val_loss has not improved for 1 value'}

    Args:
        criteria: the criteria as the user passed them.
        monitor: name of the metric.
        mode: `"min"` or `"max"`.

    Raises:
        TypeError: if something is not a criterion.
        ValueError: if a criterion is there twice, or cannot judge this metric.
    """

    def __init__(self, criteria: Any, monitor: str, mode: str) -> None:
        self.monitor, self.mode = monitor, mode
        self.by_name: dict[str, Criterion] = {}
        for criterion in _checked(criteria):
            name = type(criterion).__name__
            same = sum(type(c) is type(criterion) for c in self.by_name.values())
            self.by_name[f"{name}_{same + 1}" if same else name] = criterion
        self.measured = {
            k: c for k, c in self.by_name.items() if isinstance(c, MeasuredCriterion)
        }
        self.judging = {k: c for k, c in self.by_name.items() if k not in self.measured}
        self._measured_at = 0
        for name, criterion in self.judging.items():
            if criterion.needs_validation and not monitor.startswith("val_"):
                raise ValueError(
                    f"`monitor` must be a validation metric for {name}, such as "
                    f"'val_{monitor}'. Received: monitor={shown(monitor)}, "
                    f"criteria={shown(criteria)}"
                )
            criterion.start(mode, monitor)

    def start(self, position: Callable[[str], float | None], step: int = 0) -> None:
        """Forget all values; `position` returns the present one in a unit."""
        self._measured_at = step
        for criterion in self.judging.values():
            begin = position(criterion.counts_in) or 0
            criterion.start(self.mode, self.monitor, begin)
        for criterion in self.measured.values():
            criterion.start(criterion.modes[0])

    def prepare(self, model: keras.Model) -> None:
        """Check that the model can be measured."""
        for criterion in self.measured.values():
            criterion.prepare(model)

    @property
    def needs_training(self) -> bool:
        """Whether a criterion reads the metric of the training data."""
        return any(c.needs_training for c in self.judging.values())

    def judge(
        self,
        value: float,
        train_value: float | None,
        position: Callable[[str], float | None],
    ) -> dict[str, str]:
        """Return the reasons to stop, by name, after a value of the metric.

        Args:
            value: the value.
            train_value: the same metric of the training data; without it, criteria that
                need it do not judge.
            position: returns the present position in a unit; `None` counts values.
        """
        reasons: dict[str, str] = {}
        for name, criterion in self.judging.items():
            if criterion.needs_training and train_value is None:
                continue
            at = position(criterion.counts_in)
            why = criterion.update(value, train_value, at)
            if why:
                reasons[name] = why
        return reasons

    def due(self, step: int) -> dict[str, MeasuredCriterion]:
        """Return those whose `every` was passed since the last call, by name."""
        before, self._measured_at = self._measured_at, step
        return {
            k: c
            for k, c in self.measured.items()
            if before // c.every < step // c.every
        }

    def figures(self) -> dict[str, float]:
        """Return the present figure of each judging criterion, by its tag."""
        return {
            f"stopping/{self.monitor}/{k}": float(c.figure)
            for k, c in self.judging.items()
            if c.figure is not None
        }


def _checked(criteria: Any) -> Sequence[Criterion]:
    """Return the criteria, or raise."""
    if not isinstance(criteria, list | tuple):
        raise TypeError(
            "`criteria` must be a list of criteria, such as "
            "[stopping.GeneralizationLoss(alpha=5)]. "
            f"Received: criteria={shown(criteria)}"
        )
    for criterion in criteria:
        if not isinstance(criterion, Criterion):
            hint = " Construct it." if isinstance(criterion, type) else ""
            raise TypeError(
                "`criteria` must hold objects of keras_optlab.stopping, or of your own "
                f"class that is derived from stopping.Criterion. Received: "
                f"{shown(criterion)}.{hint}"
            )
    several = len({id(c) for c in criteria}) < len(criteria)
    if several or sum(isinstance(c, Evidence) for c in criteria) > 1:
        what = "the same criterion twice" if several else "two of Evidence"
        raise ValueError(
            f"`criteria` must be different, with at most one Evidence. Received: "
            f"{what} in criteria={shown(criteria)}"
        )
    return criteria
