"""Curves of a training by epoch, from a `History`, a dict or a file of `CSVLogger`."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_optlab.core.errors import shown


@dataclass(frozen=True)
class Curve:
    """Values of one metric by epoch.

    Attributes:
        epochs: The epochs, counted from 1.
        values: The value of each.
    """

    epochs: np.ndarray
    values: np.ndarray

    def best(self, mode: str) -> tuple[int, float] | None:
        """Return the epoch and the value that is best by `"min"` or `"max"`.

        >>> Curve(np.array([1, 2, 3]), np.array([3.0, np.nan, 1.0])).best("min")
        (3, 1.0)
        """
        finite = np.isfinite(self.values)
        if not finite.any():
            return None
        sign = 1 if mode == "min" else -1
        at = int(np.argmin(np.where(finite, sign * self.values, np.inf)))
        return int(self.epochs[at]), float(self.values[at])


def named_curves(history: Any) -> dict[str, dict[str, Curve]]:
    """Return the curves of each training, by its name; `""` for a single one.

    Raises:
        TypeError: if it is none of the forms of `plot_history`.
        ValueError: if there are no numbers in it.
    """
    if isinstance(history, Mapping) and not _is_one_training(history):
        return {str(name): _curves(one, str(name)) for name, one in history.items()}
    return {"": _curves(history, "")}


def _is_one_training(history: Mapping[Any, Any]) -> bool:
    """Return whether a dict is that of a `History`: lists of values by name."""
    kinds = Mapping, keras.callbacks.History, str, os.PathLike
    return not any(isinstance(value, kinds) for value in history.values())


def _curves(history: Any, name: str) -> dict[str, Curve]:
    epochs: Sequence[int] = ()
    if isinstance(history, keras.callbacks.History):
        epochs, history = history.epoch, history.history
    if isinstance(history, str | os.PathLike):
        curves = _of_file(Path(history))
    elif isinstance(history, Mapping):
        curves = _of_lists(history, epochs)
    else:
        raise TypeError(
            "`history` must be the `History` that `fit` returns, its dict, the path of "
            "a file of `CSVLogger`, or a dict of these by name. Received: "
            f"{name or 'history'}={shown(history)}"
        )
    if not curves:
        raise ValueError(
            "There is nothing to draw: no epoch has a number. Received: "
            f"{name or 'history'}={shown(history)}"
        )
    return curves


def _of_lists(lists: Mapping[str, Any], epochs: Sequence[int]) -> dict[str, Curve]:
    lengths = [len(values) for values in lists.values() if np.ndim(values)]
    longest = max(lengths, default=0)
    x = np.array(epochs if len(epochs) == longest else range(longest), "int64") + 1
    curves = {}
    for name, values in lists.items():
        numbers = _numbers(values)
        if len(numbers):
            stride = longest // len(numbers)  # of `validation_freq`
            curves[name] = Curve(x[stride - 1 :: stride][: len(numbers)], numbers)
    return curves


def _numbers(values: Any) -> np.ndarray:
    """Return an array of numbers; empty for values of another kind."""
    try:
        array = np.asarray(values, "float64")
    except (TypeError, ValueError):
        return np.zeros(0)
    return array if array.ndim == 1 else np.zeros(0)


def _of_file(path: Path) -> dict[str, Curve]:
    with path.open(newline="") as file:
        start = file.readline()
        file.seek(0)
        rows = list(csv.DictReader(file, delimiter=_separator(start)))
    if not rows or "epoch" not in rows[0]:
        raise ValueError(
            "A file of `CSVLogger` has a column `epoch` and at least one row. "
            f"Received: {str(path)!r}, which begins with {start[:60]!r}"
        )
    curves = {}
    for name in rows[0].keys() - {"epoch"}:
        points = [(int(row["epoch"]) + 1, _number(row[name])) for row in rows]
        points = [(epoch, value) for epoch, value in points if value is not None]
        if points:
            epochs, values = zip(*points, strict=True)
            curves[name] = Curve(np.array(epochs), np.array(values))
    return {name: curves[name] for name in rows[0] if name in curves}


def _separator(header: str) -> str:
    """Return what stands after the first column, `epoch`."""
    return header[5] if header.startswith("epoch") and len(header) > 6 else ","


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:  # "NA", or a list of numbers
        return None
