"""Data for validation within epochs: taken from `fit`, checked, and made repeatable."""

from __future__ import annotations

import itertools
import math
import types
from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.core.errors import shown
from keras_optlab.engine.backend.trainer_adapter import evaluation_batches, output_spec

ADVICE = "Pass arrays, a tf.data.Dataset or a keras.utils.PyDataset."


def data_of_fit(arguments: Mapping[str, Any]) -> Any:
    """Return the validation data of a `fit`, by its arguments; `None` if it has none.

    >>> import numpy as np
    >>> data_of_fit({"x": np.arange(4), "validation_split": 0.25})
    (array([3]), None, None)
    """
    data = arguments.get("validation_data")
    split = arguments.get("validation_split") or 0.0
    if data is not None or not split:
        return data
    arrays = tuple(arguments.get(k) for k in ("x", "y", "sample_weight"))
    first = next(a for a in _leaves(arrays) if a is not None)
    begin = math.floor(len(first) * (1.0 - split))  # as in Keras
    return _map(lambda a: None if a is None else a[begin:], arrays)


class RepeatedBatches(keras.utils.PyDataset):
    """Batches that were drawn from a generator."""

    def __init__(self, batches: list[Any]) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        return self.batches[index]


def make_batches(
    model: Any, data: Any, batch_size: int | None, steps: int | None
) -> Any:
    """Return batches for `evaluate_batches`, which are the same in each validation.

    Raises:
        ValueError: if the data cannot be read, or do not end.
    """
    if isinstance(data, types.GeneratorType):
        data, steps = _drawn(data, steps), None
    x, y, weights = unpacked(data)
    if steps is None and _is_endless(x):
        raise ValueError(
            f"`data` must end, or `steps` must say how many batches of it to evaluate. "
            f"Received: data={shown(data)}, which repeats without end, and steps=None."
        )
    try:
        batches = evaluation_batches(model, (x, y, weights), batch_size, steps)
    except ValueError as error:
        raise ValueError(
            f"`data` cannot be read. {ADVICE} "
            f"Received: data of {type(x).__name__}: {error}"
        ) from error
    size = batches.data_adapter.num_batches
    if size is not None and size < max(1, steps or 1):
        raise ValueError(
            f"`data` must have {steps or 1} batches or more. "
            f"Received: data with {size} batches, steps={steps}"
        )
    return batches


def unpacked(data: Any) -> tuple[Any, Any, Any]:
    """Return x, y and sample weights.

    Raises:
        ValueError: if the data is a tuple of another length.
    """
    try:
        return keras.utils.unpack_x_y_sample_weight(data)
    except ValueError:
        raise ValueError(
            "`data` must be (x, y) or (x, y, sample_weight), or an object that yields "
            f"batches. Received: data with {len(data)} parts"
        ) from None


def check_fit(model: Any, data: Any, batch_size: int | None, trained_y: Any) -> None:
    """Raise if Keras' own `test_step` cannot evaluate the data, as far as can be told.

    Nothing is evaluated: on TensorFlow, metrics take their form from the first batch
    that they see, which must be one of the training data.

    Args:
        model: The model.
        data: Data that `make_batches` has accepted, but no generator.
        batch_size: Rows in a batch of arrays.
        trained_y: The targets that `fit` trains on, `None` if unknown.

    Raises:
        ValueError: if the inputs do not fit the model; if targets are missing.
    """
    x, y, _ = _first_batch(data, batch_size or 32)
    targets = [len(_leaves(t)) for t in (trained_y, y)]
    if trained_y is not None and x is not None and targets[0] != targets[1]:
        raise ValueError(
            f"`data` must have targets like the training data, {targets[0]} arrays. "
            f"Received: data with {targets[1]} arrays of targets. Pass (x, y)."
        )
    if x is None or not model.built or model.run_eagerly:
        return
    try:
        output_spec(model, x)
    except Exception as error:
        shapes = _map(lambda leaf: tuple(leaf.shape), x)
        raise ValueError(
            "`data` must have inputs that fit the model. "
            f"Received: inputs of shape {shapes}. The model refuses them: {error}"
        ) from error


def _drawn(generator: Any, steps: int | None) -> RepeatedBatches:
    if steps is None:
        raise ValueError(
            "`steps` must be set if `data` is a generator, which may not end: so many "
            f"batches are drawn once and kept. Received: steps=None. Or: {ADVICE}"
        )
    batches = list(itertools.islice(generator, steps))
    if len(batches) < steps:
        raise ValueError(
            f"`data` must yield {steps} batches, by `steps`. "
            f"Received: a generator that ended after {len(batches)}"
        )
    return RepeatedBatches(batches)


def _is_endless(x: Any) -> bool:
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is None
    cardinality: Any = getattr(x, "cardinality", None)  # of a tf.data.Dataset
    return callable(cardinality) and bool(cardinality() == -1)


def _first_batch(data: Any, batch_size: int) -> tuple[Any, Any, Any]:
    """Return the first batch with `KerasTensor`s for its arrays; `None` if unknown."""
    nothing = None, None, None
    x, y, weights = unpacked(data)
    size = None
    if isinstance(x, keras.utils.PyDataset):
        x, y, weights = unpacked(x[0])
    elif hasattr(x, "element_spec"):
        x, y, weights = unpacked(x.element_spec)
    else:
        size = batch_size
    try:
        return _map(lambda a: _spec(a, size), (x, y, weights))
    except (TypeError, ValueError, AttributeError):
        return nothing  # not arrays: sparse, ragged, strings, a DataLoader


def _spec(array: Any, batch_size: int | None) -> keras.KerasTensor | None:
    if array is None:
        return None
    shape = tuple(array.shape)
    if batch_size is not None:
        shape = (min(batch_size, shape[0]), *shape[1:])
    dtype = keras.backend.standardize_dtype(array.dtype)
    if dtype == "string":
        raise TypeError
    return keras.KerasTensor(shape, dtype)


def _map(function: Any, tree: Any) -> Any:
    return keras.tree.map_structure(function, tree)


def _leaves(tree: Any) -> list[Any]:
    return [x for x in keras.tree.flatten(tree) if x is not None]
