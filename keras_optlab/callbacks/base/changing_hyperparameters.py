"""Hyperparameters of an optimizer that change during training."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.engine import Optimizer


class ChangingHyperparameters:
    """Hyperparameters that follow a schedule or have changed since construction.

    The caller drops the learning rate, which is logged in any case.

    Args:
        optimizer: the optimizer to watch, with its transforms and groups.

    Attributes:
        moved: Names of those that have changed.

    Example:
        >>> from keras_optlab import optimizers, schedules
        >>> decay = schedules.Cosine(0.5, steps=10)
        >>> optimizer = optimizers.Adam(weight_decay=decay)
        >>> moving = ChangingHyperparameters(optimizer)
        >>> optimizer.beta_1 = 0.8
        >>> moving.values(optimizer)
        {'beta_1': 0.8, 'weight_decay': 0.5}
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._first = _values(optimizer)
        self.moved: set[str] = set()

    def values(self, optimizer: Optimizer) -> dict[str, float]:
        """Return the value of each at the next update, by name.

        An argument of a transform is named `<class>.<argument>`, a hyperparameter of a
        group `<pattern>.<argument>`.
        """
        now = _values(optimizer)
        self.moved |= {k for k, v in now.items() if v != self._first.get(k)}
        step = int(keras.ops.convert_to_numpy(optimizer.updates))
        values = {}
        for name, value in sorted(now.items()):
            if isinstance(value, LearningRateSchedule):
                now = optimizer.moment(step).value(value)
                values[name] = float(keras.ops.convert_to_numpy(now))
            elif name in self.moved and value is not None:
                values[name] = value
        return values


def _values(optimizer: Optimizer) -> dict[str, Any]:
    """Return every adjustable value by name: a number, a schedule or `None`."""
    owners: dict[str, Any] = {"": optimizer}
    seen: Counter[str] = Counter()
    for transform in optimizer.transforms:
        name = type(transform).__name__
        owners[f"{name}_{seen[name]}." if seen[name] else f"{name}."] = transform
        seen[name] += 1
    values = {
        f"{owner}{k}": getattr(of, k)
        for owner, of in owners.items()
        for k, field in of.fields.items()
        if field.adjustable and not field.keras_owned  # the rate is logged by itself
    }
    for i, group in enumerate(optimizer.groups):
        pattern = group.label or f"group_{i}"
        values |= {f"{pattern}.{k}": v for k, v in group.hyperparameters.items()}
    return values
