"""Batches of arrays in an order that is given, as `fit` takes them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class OrderedBatches(keras.utils.PyDataset):
    """The rows of arrays in a given order.

    Args:
        arrays: `(x, y)`: trees of arrays with the rows first.
        rows: Numbers of the rows of each batch, shape `(batches, batch_size)`.
    """

    def __init__(self, arrays: Any, rows: np.ndarray) -> None:
        super().__init__()
        self.arrays, self.rows = arrays, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return keras.tree.map_structure(lambda a: a[self.rows[index]], self.arrays)


def batches_in_order(arrays: Any, rows: np.ndarray) -> Any:
    """Return data for `fit(..., shuffle=False)`: batches of the given rows.

    On TensorFlow a `tf.data.Dataset`, which gathers rows beside the training.
    """
    if keras.backend.backend() != "tensorflow":
        return OrderedBatches(arrays, rows)
    import tensorflow as tf

    held = keras.tree.map_structure(tf.convert_to_tensor, arrays)

    def gathered(chosen: Any) -> Any:
        return keras.tree.map_structure(lambda a: tf.gather(a, chosen), held)

    return tf.data.Dataset.from_tensor_slices(rows).map(gathered).prefetch(2)
