"""The batches of a `fit`: where they are, and how to go on from there.

All trainers of Keras draw batches through `EpochIterator`. A pass is one iterator over
the data. An epoch is a pass, or with `steps_per_epoch` a part of one. To go on in the
middle of a pass, it is begun again with the random state that it was begun with, and
the batches that were trained on are drawn and dropped.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_optlab.engine.backend.data_states import data_state, set_data_state
from keras_optlab.engine.backend.random_states import random_states, set_random_states
from keras_optlab.engine.backend.trainer_adapter import (
    element_spec,
    epoch_of_data,
    is_array_data,
    is_tf_data,
    set_epoch_of_data,
    tf_data_of,
)

Position = dict[str, Any]


class FitBatches:
    """The training batches of a running `fit`.

    On TensorFlow, Keras shuffles arrays in the same order in each epoch after
    `keras.utils.set_random_seed`, and the order cannot be continued. Arrays are
    therefore shuffled by a seed and the number of the pass.

    Args:
        iterator: The `EpochIterator` that `fit` has just made.

    Attributes:
        at_end: Whether the batch that begins now does not exist, if this is known.
    """

    def __init__(self, iterator: Any) -> None:
        self.iterator = iterator
        self.data = iterator.data_adapter
        self.source = _source(self.data)
        self._on_tf = keras.backend.backend() == "tensorflow"
        self._passes = 0  # passes that have begun
        self._begun: list[dict[str, Any]] = []  # random states: made, first batch
        self._drawn = self._drawn_before = 0  # batches of this pass: all, before epoch
        self._data_before: Any = None  # state of the data before this epoch
        self._goal: Position | None = None  # until it is reached
        self._moment: tuple[Any, Any] | None = None  # random state and data's, if kept
        self.at_end = False
        self._order = _Order() if self._on_tf and is_array_data(self.data) else None
        if self._order is not None:
            self.data.get_tf_dataset = self._order.owned(self.data.get_tf_dataset)
        self._make, self._enumerate = (
            iterator._get_iterator,
            iterator._enumerate_iterator,
        )
        iterator._get_iterator = self._begin_pass
        iterator._enumerate_iterator = self._epoch

    @property
    def description(self) -> dict[str, Any]:
        """What determines the batches of an epoch, to compare two trainings."""
        return {
            "kind of data": type(self.data).__name__.removesuffix("Adapter"),
            "rows": getattr(self.data, "_num_samples", None),
            "batches": self.data.num_batches,
            "batch_size": self.data.batch_size,
            "steps_per_epoch": self.iterator.steps_per_epoch,
            "steps_per_execution": self.iterator.steps_per_execution,
        }

    def example(self) -> Any:
        """Return a batch with the shapes of the data: on TensorFlow, of zeros."""
        if not self._on_tf:
            return next(iter(self.data.get_torch_dataloader()))
        import tensorflow as tf

        def zeros(spec: Any) -> Any:
            return tf.zeros([size or 1 for size in spec.shape], spec.dtype)

        return tf.nest.map_structure(zeros, element_spec(self.iterator))

    def position(self, batch: int) -> Position:
        """Return where the batches are now, to be pickled.

        Args:
            batch: The number of batches of the epoch that were trained on; 0 between
                two epochs.
        """
        random, data = self._moment or self._now()
        return {
            "batch": batch,
            "passes": self._passes,
            "begun": list(self._begun),
            "drawn": self._drawn_before if batch else self._drawn,
            "inside": self.iterator._current_iterator is not None,
            "batches": self.iterator._num_batches,
            "data": data,
            "data before": self._data_before,
            "random": random,
            "seed": None if self._order is None else self._order.seed,
        }

    def go_to(self, position: Position) -> None:
        """Have the next epoch go on from a position of this or another process."""
        shared = self.iterator.steps_per_epoch is not None and position["inside"]
        again = bool(position["batch"]) or shared  # the pass is begun again
        started = again and len(position["begun"]) == (1 if self._on_tf else 2)
        self._goal = position if again else None
        if self._order is not None and position["seed"] is not None:
            self._order.seed = position["seed"]
        self.iterator._num_batches = position["batches"]
        self._catch_up(position["passes"] - started)
        self._set_random(position["random"])
        set_data_state(
            self.source, position["data before" if position["batch"] else "data"]
        )

    def _catch_up(self, passes: int) -> None:
        """Have the data make as many iterators as before: shuffles count them."""
        if is_tf_data(self.data):
            for _ in range(passes - self._passes):
                iter(tf_data_of(self.data))
        self._passes = passes

    def _begin_pass(self) -> Any:
        """Make an iterator over the data, and note the random state."""
        if self._goal is not None:
            self._set_random(self._goal["begun"][0])
        self._begun = [self._random()]
        self._drawn = 0
        if not self._on_tf:
            return _Pass(self._make(), self._begin_drawing)
        self._passes += 1
        if self._order is not None:
            self._order.pass_number = self._passes
        return self._make()

    def _begin_drawing(self) -> None:
        """Note the random state before the first batch of a pass."""
        if self._goal is not None:
            self._set_random(self._goal["begun"][1])
        self._begun.append(self._random())
        self._passes += 1

    def _epoch(self) -> Iterator[tuple[int, int, Any]]:
        """Yield what `_enumerate_iterator` yields, from the batch to go on with."""
        iterator, goal = self.iterator, self._goal
        now = self._now()
        self._data_before = now[1]
        if goal is not None and goal["batch"]:
            now = goal["random"], goal["data"]
        if goal is not None and iterator.steps_per_epoch is not None and goal["inside"]:
            iterator._current_iterator = iter(iterator._get_iterator())
            iterator._steps_seen = goal["drawn"]
            self._drop(iterator._current_iterator, goal["drawn"])
        inside = iterator._current_iterator is not None
        self._drawn_before = self._drawn if inside else 0
        for begin, end, batches in self._enumerate():
            if goal is not None and begin < goal["batch"]:
                self._drop(batches, end + 1 - begin)
                continue
            if self._goal is not None:
                self._arrive(*now)
            self._look_ahead(batches)
            yield begin, end, batches
            self._moment = None
            self._drawn += end + 1 - begin
        if self._goal is not None:
            self._arrive(*now)

    def _now(self) -> tuple[Any, Any]:
        return self._random(), data_state(self.source)

    def _random(self) -> dict[str, Any]:
        """Return the random states, and the epoch by which Keras may shuffle."""
        return {**random_states(self.source), "epoch": epoch_of_data(self.data)}

    def _set_random(self, states: dict[str, Any], process: bool = True) -> None:
        set_epoch_of_data(self.data, states.get("epoch"))
        set_random_states(states, self.source, process)

    def _look_ahead(self, batches: Any) -> None:
        """Find out whether data of unknown length are at their end.

        Keras begins a batch there that does not exist, and JAX' trainer cannot go on
        from this moment.
        """
        self._moment, self.at_end = None, False
        if self.iterator._num_batches is None and isinstance(batches, _Pass):
            self._moment = self._now()
            self.at_end = batches.is_at_end()

    def _drop(self, batches: Iterator[Any], number: int) -> None:
        """Draw batches that were trained on."""
        for _ in range(number):
            if next(batches, None) is None:
                raise ValueError(
                    "The training cannot go on where it ended: the data have fewer "
                    f"batches than before. Received: {self._drawn} batches. Pass the "
                    "same data, or another directory to begin anew."
                )
            self._drawn += 1

    def _arrive(self, states: dict[str, Any], data: Any) -> None:
        """Set the random state with which the first new batch is trained on."""
        ahead = self._on_tf and not is_array_data(self.data)  # a thread draws batches
        if not ahead:
            set_data_state(self.source, data)
        self._set_random(states, process=not ahead)
        self._goal = None


class _Pass:
    """An iterator that tells when its first batch is drawn."""

    def __init__(self, batches: Any, tell: Callable[[], None]) -> None:
        self._batches = iter(batches)
        self._tell: Callable[[], None] | None = tell
        self._next: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()
        return self._next.pop() if self._next else next(self._batches)

    def is_at_end(self) -> bool:
        """Return whether there is no other batch; draw it if there is one."""
        try:
            self._next.append(next(self))
        except StopIteration:
            return True
        return False


class _Order:
    """The order of shuffled arrays on TensorFlow: by a seed and the pass."""

    def __init__(self) -> None:
        import tensorflow as tf

        before = random.getstate()
        seed = random.getrandbits(31)
        random.setstate(before)
        self._numbers = tf.Variable(tf.constant([seed, 0], tf.int64), trainable=False)

    @property
    def seed(self) -> int:
        """The seed of all passes."""
        return int(self._numbers[0])

    @seed.setter
    def seed(self, value: int) -> None:
        self._numbers[0].assign(value)

    @property
    def pass_number(self) -> int:
        """The pass whose order is the next one."""
        return int(self._numbers[1])

    @pass_number.setter
    def pass_number(self, value: int) -> None:
        self._numbers[1].assign(value)

    def owned(self, make: Callable[[], Any]) -> Callable[[], Any]:
        """Return a function that makes a dataset with this order."""

        def make_with_own_order() -> Any:
            with self._instead_of_shuffle():
                return make()

        return make_with_own_order

    @contextlib.contextmanager
    def _instead_of_shuffle(self) -> Iterator[None]:
        import tensorflow as tf

        def shuffle(x: Any) -> Any:
            # Keras shuffles all rows, or those of each batch: x[0] tells which batch
            seed = self._numbers + tf.stack([tf.cast(x[0], tf.int64), 0])
            return tf.random.experimental.stateless_shuffle(x, seed=seed)  # pyright: ignore[reportAttributeAccessIssue]

        given, tf.random.shuffle = tf.random.shuffle, shuffle
        try:
            yield
        finally:
            tf.random.shuffle = given


def _source(adapter: Any) -> Any:
    """Return the user's object that has the data, if it can have a state."""
    names = "py_dataset", "_dataloader"
    return next((vars(adapter)[k] for k in names if k in vars(adapter)), None)
