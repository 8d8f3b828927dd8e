"""The training data, checked and converted to tensors."""

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
        y: A tensor or a structure of tensors.
        sample_weight: A tensor, a structure of tensors, or `None`.
        size: Number of samples.
    """

    x: Any
    y: Any
    sample_weight: Any
    size: int

    @classmethod
    def of(cls, x: Any, y: Any, sample_weight: Any = None) -> Data:
        """Return the user's data as tensors.

        Raises:
            TypeError: if something is neither a number nor an array of numbers.
            ValueError: if there are no samples, or their numbers differ.
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
                "`x`, `y` and `sample_weight` must have the same number of samples, at "
                f"least one. Received: numbers of samples {counts}"
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
            "fit_full_batch takes arrays of numbers, or lists or dicts of arrays. "
            f"Received: {type(x).__name__} of dtype {array.dtype}"
        )
    return array


def _tensor(x: np.ndarray | None) -> Tensor:
    if x is None:
        return None
    floating = keras.config.floatx() if x.dtype.kind == "f" else None
    return ops.convert_to_tensor(x, floating)
