"""Batches of inputs from the data that `fit` takes, read again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.engine.backend.datasets import independent_copy, is_dataset

ONCE = (
    "a generator or an iterator can be read only once. Give arrays, a "
    "`tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable such as a DataLoader"
)


class NotReadableError(TypeError):
    """Data that cannot be read again, with the reason."""


def input_batches(
    data: Any, batch_size: int, steps: int, share: float = 1.0
) -> Iterable[Any]:
    """Return up to `steps` batches of inputs.

    Args:
        data: What `fit` takes as `x`.
        batch_size: Examples in a batch of arrays.
        steps: Number of batches, at most.
        share: The first share of arrays to use; the rest is for validation.

    Raises:
        NotReadableError: if the data can be read only once.
    """
    if isinstance(data, keras.utils.PyDataset):
        known = data.num_batches
        n = steps if known is None else min(steps, known)
        return (_inputs(data[i]) for i in range(n))
    if is_dataset(data):
        return _first(independent_copy(data), steps)
    leaves = keras.tree.flatten(data)
    if leaves and all(len(getattr(leaf, "shape", ())) for leaf in leaves):
        return _array_batches(data, batch_size, steps, share)
    if _is_once(data):
        raise NotReadableError(ONCE)
    return _first(data, steps)


def _is_once(data: Any) -> bool:
    """Return whether data are neither arrays nor batches that come again."""
    if hasattr(data, "shape"):  # a scalar
        return True
    return not isinstance(data, Iterable) or isinstance(data, Iterator | dict | str)


def _array_batches(x: Any, batch_size: int, steps: int, share: float) -> Iterator[Any]:
    """Yield batches of arrays in a fixed random order, as arrays may be sorted."""
    arrays = keras.tree.map_structure(_as_array, x)
    n = math.floor(len(keras.tree.flatten(arrays)[0]) * share)
    size = min(n, steps * batch_size)
    order = np.random.default_rng(0).choice(n, size, replace=False)
    for start in range(0, size, batch_size):
        rows = order[start : start + batch_size]
        yield keras.tree.map_structure(lambda a, at=rows: _tensor(a[at]), arrays)


def _as_array(x: Any) -> Any:
    if hasattr(x, "tocsr"):
        raise NotReadableError("sparse matrices are not supported here")
    if hasattr(x, "to_numpy"):  # of pandas
        return x.to_numpy()
    return x if isinstance(x, np.ndarray) else np.asarray(ops.convert_to_numpy(x))


def _first(batches: Iterable[Any], steps: int) -> Iterator[Any]:
    return (_inputs(batch) for batch in itertools.islice(batches, steps))


def _inputs(batch: Any) -> Any:
    """Return the inputs of a batch, as tensors of the backend."""
    batch = tuple(batch) if isinstance(batch, list) else batch
    return keras.tree.map_structure(
        _tensor, keras.utils.unpack_x_y_sample_weight(batch)[0]
    )


def _tensor(x: Any) -> Any:
    """Return a tensor of the backend; floating arrays in Keras' default dtype."""
    if keras.backend.is_keras_tensor(x) or ops.is_tensor(x):
        return x
    x = x.numpy() if hasattr(x, "numpy") else np.asarray(x)
    floating = np.issubdtype(x.dtype, np.floating)
    return ops.convert_to_tensor(x, keras.config.floatx() if floating else None)
