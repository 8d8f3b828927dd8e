"""The batch size of the running `fit`."""

from __future__ import annotations

from typing import Any

import keras

from keras_optlab.engine.backend.keras_hooks import fit_arguments
from keras_optlab.finders.data import is_in_arrays

DEFAULT = 32  # of `fit`, for arrays


def batch_size_of_fit() -> int | None:
    """Return the batch size of the running `fit`; `None` if it is unknown.

    A `tf.data.Dataset` tells it with `drop_remainder=True`, and a PyDataset by an
    attribute `batch_size`.
    """
    told = fit_arguments()
    x: Any = told.get("x")
    if is_in_arrays(x):
        return told.get("batch_size") or DEFAULT
    size: Any = getattr(x, "batch_size", None)
    if hasattr(x, "element_spec"):
        spec = keras.tree.flatten(x.element_spec)
        size = spec[0].shape[0] if spec and len(spec[0].shape) else None
    return size if isinstance(size, int) else None
