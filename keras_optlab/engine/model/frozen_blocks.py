"""Freezing the first blocks of a model, by `trainable` of its layers and weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.keras_adapter import sublayers
from keras_optlab.engine.backend.normalization import normalization_layers
from keras_optlab.engine.backend.trainer_adapter import trainer_state_renewed
from keras_optlab.engine.model.second_pass import patched


class FrozenBlocks:
    """The blocks of a model, of which the first ones are frozen.

    A layer all of whose weights are frozen is frozen as a whole, so that a
    `BatchNormalization` uses its moving statistics, and keeps them. One without weights
    follows the layer before it. Whatever was not trainable before stays so.

    A model that is saved meanwhile is saved as it was before, so that an optimizer that
    is loaded with it has all weights.

    Args:
        model: The model, built.
        blocks: Its trainable weights by block, from the first to the last.

    Attributes:
        trained: How many blocks are trained: the last ones.

    >>> first, last = keras.layers.Dense(2), keras.layers.Dense(1)
    >>> model = keras.Sequential([keras.Input((3,)), first, last])
    >>> blocks = FrozenBlocks(model, [first.weights, last.weights])
    >>> blocks.train(1)
    >>> first.trainable, last.trainable, len(model.trainable_variables)
    (False, True, 2)
    >>> blocks.restore()
    >>> first.trainable, len(model.trainable_variables)
    (True, 4)
    """

    def __init__(
        self, model: keras.Model, blocks: Sequence[Sequence[Variable]]
    ) -> None:
        self.model, self.blocks = model, [list(block) for block in blocks]
        self.trained = len(self.blocks)
        self._flags = [(v, v.trainable) for v in model.weights]
        self._layers = list(_layers_with_weights(model))
        self._saving = contextlib.ExitStack()
        whole = patched(model, save=_Save(self, model.save))
        self._saving.enter_context(whole)

    def train(self, count: int) -> None:
        """Freeze all blocks but the last `count`; the step must be retraced then."""
        first = len(self.blocks) - count
        frozen = {id(v) for block in self.blocks[:first] for v in block}
        with trainer_state_renewed(self.model):
            for layer, own in self._layers:
                layer.trainable = not all(id(v) in frozen for v in own)
            for v, trainable in self._flags:
                v.trainable = trainable and id(v) not in frozen
        self.trained = count

    def restore(self) -> None:
        """Make everything as trainable as it was before."""
        self._saving.close()
        self.train(len(self.blocks))

    @contextlib.contextmanager
    def thawed(self) -> Iterator[None]:
        """Have everything as trainable as before within this context."""
        trained = self.trained
        self.train(len(self.blocks))
        try:
            yield
        finally:
            self.train(trained)

    def penalizes(self, count: int) -> bool:
        """Return whether a block that `train(count)` would change has a regularizer."""
        fewer, more = sorted((count, self.trained))
        blocks = self.blocks[len(self.blocks) - more : len(self.blocks) - fewer]
        return any(v.regularizer is not None for block in blocks for v in block)


class _Save:
    """A model's `save` that saves it as trainable as it was."""

    def __init__(self, blocks: FrozenBlocks, save: Any) -> None:
        self.blocks, self.save = blocks, save

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self.blocks.thawed():
            return self.save(*args, **kwargs)


def _layers_with_weights(model: keras.Model) -> Iterator[tuple[Any, list[Variable]]]:
    """Yield the trainable layers without inner layers, with the weights they follow."""
    statistics = {id(layer) for layer in normalization_layers(model)}
    last: list[Variable] = []
    for layer in sublayers(model):
        if not layer.trainable or sublayers(layer):
            continue
        own = list(layer.trainable_variables)
        if own or (id(layer) in statistics and last):
            yield layer, own or last
        last = own or last
