"""Reading data again without a trace in the user's own data sets."""

from __future__ import annotations

import itertools
import random
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_optlab.core.errors import shown
from keras_optlab.engine.backend.trainer_adapter import data_adapter

Batch = Any
FRESH = {  # operations of data sets with state, and what makes new state for them
    "ShuffleDatasetV3": "DummySeedGenerator",
    "ShuffleAndRepeatDatasetV2": "DummySeedGenerator",
    "CacheDatasetV2": "DummyMemoryCache",
}


def comes_once(x: Any) -> bool:
    """Return whether data give each batch only once, as generators do."""
    iterates = hasattr(x, "__next__") and not hasattr(x, "__getitem__")
    return isinstance(x, types.GeneratorType) or iterates


def batches_again(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    shuffle: bool = True,
) -> Callable[[], Iterator[Batch]]:
    """Return a function that yields the batches of one pass over data, at each call.

    Arrays and PyDatasets are shuffled by the generators of NumPy and Python. Other data
    come in their own order. A `tf.data.Dataset` is copied, so that the shuffling of the
    user's object does not advance.

    Args:
        x: Inputs in any form that `fit` takes, except generators.
        y: Targets.
        sample_weight: Sample weights.
        batch_size: Samples in a batch of arrays.
        steps_per_epoch: Batches in a pass over arrays, if there is no `batch_size`.
        shuffle: Whether to shuffle arrays and PyDatasets.

    Raises:
        ValueError: if the data cannot be read again.
    """
    if comes_once(x):
        raise ValueError(
            "The data must be readable again, so that training gets all of it. "
            f"Received: x={shown(x)}, which gives each batch once. Pass arrays, a "
            "tf.data.Dataset, a keras.utils.PyDataset or a torch DataLoader."
        )
    if isinstance(x, keras.utils.PyDataset):
        data_adapter(x, y, sample_weight)  # raises if there are targets beside it
        return lambda: _of_py_dataset(x, shuffle)
    if is_dataset(x):
        x = independent_copy(x)
    with warnings.catch_warnings():  # of data that Keras does not shuffle
        warnings.filterwarnings("ignore", "`shuffle=True` was passed")
        adapter = data_adapter(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            steps_per_epoch=steps_per_epoch,
            shuffle=shuffle,
        )
    if is_dataset(x) and keras.backend.backend() == "tensorflow":
        return lambda: iter(x)  # also of sparse and ragged tensors
    return lambda: iter(adapter.get_numpy_iterator())


def is_dataset(x: Any) -> bool:
    """Return whether this is a `tf.data.Dataset`, without importing TensorFlow."""
    tf: Any = sys.modules.get("tensorflow")
    return tf is not None and isinstance(x, tf.data.Dataset)


def _of_py_dataset(data: Any, shuffle: bool) -> Iterator[Batch]:
    """Yield the batches in this thread, without the workers of a PyDataset."""
    if data.num_batches is None:
        indices: Any = itertools.count()
    else:
        indices = list(range(data.num_batches))
        if shuffle:
            random.shuffle(indices)
    for i in indices:
        batch = data[i]
        yield tuple(batch) if isinstance(batch, list) else batch


def independent_copy(dataset: Any) -> Any:
    """Return a copy of a dataset that shares no state with it.

    Each pass over a shuffled dataset advances a counter that belongs to it. Another
    pass over the dataset itself would change the order of all later ones, and so the
    training. The copy is made from the graph of the dataset, in which each such counter
    is replaced by a new one with the same seeds, and each cache in memory by a new one.

    Raises:
        ValueError: if the dataset cannot be copied: a graph has at most 2 GiB, with the
            arrays of `from_tensor_slices`.
    """
    import tensorflow as tf

    try:
        graph = tf.compat.v1.GraphDef.FromString(
            tf.raw_ops.DatasetToGraphV2(
                input_dataset=tf.data.experimental.to_variant(dataset),
                external_state_policy=1,  # take over the state of random operations
            ).numpy()
        )
        for node in graph.node:
            if node.op in FRESH:
                node.input[-1] = FRESH[node.op]
        for op in set(FRESH.values()):
            graph.node.add(name=op, op=op)
        variant = tf.raw_ops.DatasetFromGraph(graph_def=graph.SerializeToString())
        return tf.data.experimental.from_variant(variant, dataset.element_spec)
    except (tf.errors.OpError, ValueError) as error:
        raise ValueError(
            f"The data set cannot be read without an effect on it. Received: "
            f"{dataset!r}: {error}"
        ) from error
