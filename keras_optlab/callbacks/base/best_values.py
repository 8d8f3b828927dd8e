"""Best and last values of the metrics of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from keras_optlab.stopping.direction import infer_mode
from keras_optlab.tensorboard.tags import metric_tags


class BestValues:
    """The best and the last value of each metric with a single value.

    Whether lower or higher is better is told by the metric's name. If there is
    validation, the best values are those of the validation metrics alone.

    Args:
        validated: Whether there is validation.

    Attributes:
        best: The best value of each metric by name.
        last: The last value of each metric by name.

    >>> values = BestValues()
    >>> values.update({"loss": 0.5, "accuracy": 0.8, "size": 1.0})
    {'loss': 0.5, 'accuracy': 0.8}
    >>> values.update({"loss": 0.6, "accuracy": 0.9})
    {'loss': 0.5, 'accuracy': 0.9}
    """

    def __init__(self, validated: bool = False) -> None:
        self.validated = validated
        self.best: dict[str, float] = {}
        self.last: dict[str, float] = {}

    def update(self, metrics: Mapping[str, Any]) -> dict[str, float]:
        """Add new values; return the best ones of these metrics so far, by name."""
        tags = metric_tags("", metrics)
        new = {k: tags[f"/{k}"] for k in metrics if f"/{k}" in tags}
        self.last |= new
        for name, value in new.items():
            mode = _mode(name)
            if mode is None or self.validated and not name.startswith("val_"):
                continue
            sign = 1 if mode == "min" else -1
            if sign * value < sign * self.best.get(name, sign * math.inf):  # not NaN
                self.best[name] = value
        return {name: self.best[name] for name in new if name in self.best}

    def results(self) -> dict[str, float]:
        """Return the best and last values by tag, in the order of their columns.

        >>> values = BestValues(validated=True)
        >>> _ = values.update({"loss": 0.25, "val_loss": 0.5})
        >>> values.results()
        {'result/best_val_loss': 0.5, 'result/last_val_loss': 0.5,
         'result/training_loss': 0.25}
        """
        validated = any(name.startswith("val_") for name in self.last)
        tags = {f"best_{k}": v for k, v in self.best.items()}
        for name, value in self.last.items():
            of_training = validated and not name.startswith("val_")
            tags[f"{'training' if of_training else 'last'}_{name}"] = value
        return {f"result/{k}": tags[k] for k in sorted(tags)}


def _mode(name: str) -> str | None:
    try:
        return infer_mode(name)
    except ValueError:
        return None
