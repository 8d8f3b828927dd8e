"""The data of a fit, checked and in the model's type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_optlab.core.types import Tensor


@dataclass(frozen=True)
class Data:
    """Inputs, targets and sample weights as tensors.

    Attributes:
        x: A tensor or a structure of tensors.
        y: The same.
        sample_weight: The same, or `None`.
        size: Number of samples.
    """

    x: Any
    y: Any
    sample_weight: Any
    size: int

    @classmethod
    def of(cls, x: Any, y: Any, sample_weight: Any = None) -> Data:
        """Return the data that a user passed.

        Raises:
            TypeError: if something is neither a number nor an array of numbers.
            ValueError: if there are no samples, or not as many of each.
        """
        given = {"x": x, "y": y, "sample_weight": sample_weight}
        arrays = {k: tree.map_structure(_array, v) for k, v in given.items()}
        sizes = {
            name: [len(array) if array.ndim else 0 for array in _leaves(arrays[name])]
            for name in given
        }
        different = {n for ns in sizes.values() for n in ns}
        if len(different) != 1 or 0 in different or not (sizes["x"] and sizes["y"]):
            counts = ", ".join(f"{k}: {v}" for k, v in sizes.items() if v)
            raise ValueError(
                "`x`, `y` and `sample_weight` must hold as many samples each, at least "
                f"one. Received: numbers of samples {counts}"
            )
        tensors = {k: tree.map_structure(_tensor, v) for k, v in arrays.items()}
        return cls(**tensors, size=different.pop())


def _leaves(structure: Any) -> list[Any]:
    return [x for x in tree.flatten(structure) if x is not None]


def _array(x: Any) -> np.ndarray | None:
    if x is None:
        return None
    array = ops.convert_to_numpy(x) if ops.is_tensor(x) else np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            "fit_full_batch takes arrays of numbers, or lists and dicts of such. "
            f"Received: {type(x).__name__} of type {array.dtype}"
        )
    return array


def _tensor(x: np.ndarray | None) -> Tensor:
    if x is None:
        return None
    floating = keras.config.floatx() if x.dtype.kind == "f" else None
    return ops.convert_to_tensor(x, floating)
