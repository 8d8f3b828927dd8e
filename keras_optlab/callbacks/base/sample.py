"""Examples in memory, from which a callback draws micro-batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_optlab.callbacks.base.validation_data import unpacked
from keras_optlab.engine.backend.datasets import batches_again
from keras_optlab.engine.backend.repeatable import replayed_random_numbers

SEED = 1812  # so that a repeated training measures the same examples
LEAST = 2  # micro-batches, for a variance


class Sample:
    """Examples, of which random ones are drawn for each measurement.

    Args:
        data: (x, y), (x, y, sample_weight), or an object that yields such batches. Of
            the latter, `examples` examples are read, once.
        examples: Examples in a measurement; fewer if there are not so many.
        micro_batch: Examples in a micro-batch.

    Attributes:
        batches: Number of micro-batches in a measurement.
        micro_batch: Examples in each of them.

    Raises:
        TypeError: if the data are not numbers.
        ValueError: if they cannot be read, or have fewer than two micro-batches.
    """

    def __init__(self, data: Any, examples: int, micro_batch: int) -> None:
        self._arrays = _arrays(_in_memory(data, examples))
        sizes = {len(a) for a in tree.flatten(self._arrays) if a is not None}
        if len(sizes) != 1:
            raise ValueError(
                "`data` must have the same number of examples in each array. Received: "
                f"arrays of {sorted(sizes)} examples"
            )
        self._size = sizes.pop()
        self.micro_batch = micro_batch
        self.batches = min(examples, self._size) // micro_batch
        if self.batches < LEAST:
            raise ValueError(
                f"`data` must have at least {LEAST} micro-batches. Received: "
                f"{self._size} examples with micro_batch={micro_batch}. Give more "
                "examples, or a smaller `micro_batch`."
            )

    def drawn(self, count: int) -> Any:
        """Return x, y and sample weights with an axis of micro-batches before all.

        Args:
            count: Number of earlier measurements, on which the choice depends.
        """
        shape = self.batches, self.micro_batch
        chosen = np.random.default_rng([SEED, count]).choice(
            self._size, shape[0] * shape[1], replace=False
        )
        return _map(lambda a: a[chosen.reshape(shape)], self._arrays)

    @property
    def first(self) -> Any:
        """One micro-batch, without that axis."""
        return _map(lambda a: a[: self.micro_batch], self._arrays)


def _in_memory(data: Any, examples: int) -> Any:
    """Return arrays, or read so many examples of an object that yields batches."""
    x, y, weights = unpacked(data)
    if all(hasattr(a, "shape") for a in tree.flatten((x, y, weights)) if a is not None):
        return x, y, weights
    with replayed_random_numbers([]):
        batches = list(_first(batches_again(x, y, weights, shuffle=False)(), examples))
    if not batches:
        raise ValueError("`data` must have examples. Received: data without a batch")
    return tree.map_structure(_joined, *batches)


def _first(batches: Iterator[Any], examples: int) -> Iterator[Any]:
    for batch in batches:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
        yield x, y, weights
        examples -= len(tree.flatten(x)[0])
        if examples <= 0:
            return


def _joined(*parts: Any) -> Any:
    return None if parts[0] is None else np.concatenate([_numpy(x) for x in parts])


def _arrays(data: Any) -> Any:
    """Return NumPy arrays of numbers."""

    def array(x: Any) -> np.ndarray:
        a = _numpy(x)
        if a.dtype.kind not in "biuf" or not a.ndim:
            raise TypeError(
                "`data` must be arrays of numbers with an axis of examples. Received: "
                f"{type(x).__name__} of dtype {a.dtype} and shape {a.shape}"
            )
        return a

    return _map(array, data)


def _numpy(x: Any) -> np.ndarray:
    return ops.convert_to_numpy(x) if ops.is_tensor(x) else np.asarray(x)


def _map(function: Any, data: Any) -> Any:
    return tree.map_structure(lambda a: None if a is None else function(a), data)
