"""The last batches that `fit` has drawn, to run one of them again.

They are kept as references, not copied. On JAX and torch, batches pass through Python.
On TensorFlow the compiled step draws them, so a queue at the end of the data pipeline
keeps them.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any

import keras

from keras_optlab.engine.backend.trainer_adapter import batches_passing

MOST_BYTES = 256 * 2**20  # of all batches together; the last one is always kept


class BatchMemory:
    """The last batches of a `fit`.

    Args:
        most: Number of batches to keep; fewer if they are larger than `MOST_BYTES`.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._armed = False
        self._trained: Any = lambda: None  # the iterator of `fit`
        self._kept: _Kept | _Queue = _Kept(most)
        self._dataset: Any = None
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        """Begin to look at the data of all iterators of Keras; see `arm`."""
        self._stack.enter_context(batches_passing(self._through))

    def arm(self) -> None:
        """Take the next iterator of Keras for that of `fit`; call at an epoch's begin.

        Others, of validations, also make batches while `fit` runs.
        """
        self._armed = True

    def disarm(self) -> None:
        """End `arm`; call at the first batch, since `fit` may reuse an iterator."""
        self._armed = False

    def stop(self) -> None:
        """Forget everything."""
        self._stack.close()
        self._kept, self._dataset = _Kept(self._most), None

    def get(self, back: int) -> Any:
        """Return a batch, 1 for the last one drawn; `None` if it is no longer kept."""
        kept = self._kept.batches()
        return kept[-back] if 1 <= back <= len(kept) else None

    def _through(self, iterator: Any, data: Any) -> Any:
        if self._armed:
            self._armed, self._trained = False, weakref.ref(iterator)
        if iterator is not self._trained():
            return data
        if keras.backend.backend() != "tensorflow":
            return _Passing(data, self._kept)
        import tensorflow as tf

        if not isinstance(data, tf.data.Dataset):
            return data  # distributed over devices
        if self._dataset is None:  # tracing it each epoch would take longer
            self._kept = _Queue(self._most, data.element_spec)
            self._dataset = self._kept.after(data)
        return self._dataset


class _Kept:
    """Batches in a list."""

    def __init__(self, most: int) -> None:
        self._kept: deque[Any] = deque()
        self._most = most

    def add(self, batch: Any) -> None:
        sizes = [getattr(x, "nbytes", 0) for x in keras.tree.flatten(batch)]
        room = max(1, min(self._most, MOST_BYTES // max(1, sum(sizes))))
        while len(self._kept) >= room:
            self._kept.popleft()
        self._kept.append(batch)

    def batches(self) -> list[Any]:
        return list(self._kept)


class _Passing:
    """Data whose batches are kept as they are drawn."""

    def __init__(self, data: Any, kept: Any) -> None:
        self._data, self._kept = data, kept

    def __iter__(self) -> Iterator[Any]:
        return self._pass(iter(self._data))  # now: it may draw random numbers

    def _pass(self, batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            self._kept.add(batch)
            yield batch


class _Queue:
    """Batches in a queue of TensorFlow.

    Args:
        most: Number of batches.
        spec: Types and shapes of a batch.
    """

    def __init__(self, most: int, spec: Any) -> None:
        import tensorflow as tf

        self._most, self._spec = most, spec
        self._flat = tf.nest.flatten(spec, expand_composites=True)
        self._queue = tf.queue.FIFOQueue(most, [x.dtype for x in self._flat])

    def after(self, data: Any) -> Any:
        """Return a dataset whose batches are kept as they are drawn."""
        import tensorflow as tf

        # by itself, TensorFlow would draw batches ahead of those that the step draws
        ahead = "Prefetch" in type(data).__name__
        data = data if ahead else data.prefetch(tf.data.AUTOTUNE)
        drawn = data.map(self.passing)
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False
        return drawn.with_options(options)

    def passing(self, *batch: Any) -> Any:
        """Keep a batch, within the data pipeline, and return it."""
        import tensorflow as tf

        whole = batch if isinstance(self._spec, tuple) else batch[0]
        flat = tf.nest.flatten(whole, expand_composites=True)
        sizes = [tf.size(x, "int64") * max(1, x.dtype.size or 1) for x in flat]
        room = MOST_BYTES // tf.maximum(tf.add_n(sizes), 1)
        room = tf.clip_by_value(room, 1, self._most)

        def drop() -> int:
            self._queue.dequeue()
            return 0

        full = tf.cast(self._queue.size(), "int64") >= room
        tf.cond(full, drop, lambda: 0)
        self._queue.enqueue(flat)
        return whole

    def batches(self) -> list[Any]:
        import tensorflow as tf

        count = int(self._queue.size())
        drawn = [tf.nest.flatten(self._queue.dequeue()) for _ in range(count)]
        for flat in drawn:
            self._queue.enqueue(flat)
        return [
            tf.nest.pack_sequence_as(self._spec, _shaped(x, self._flat), True)
            for x in drawn
        ]


def _shaped(tensors: list[Any], specs: list[Any]) -> list[Any]:
    for x, spec in zip(tensors, specs, strict=True):
        x.set_shape(spec.shape)
    return tensors
