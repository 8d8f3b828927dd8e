"""The last batches of a `fit`, whatever the form of its data."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab.engine.backend import batch_memory
from keras_optlab.engine.backend.batch_memory import BatchMemory
from tests.support.problems import compiled_model

BACKEND = keras.backend.backend()
X = np.arange(40, dtype="float32").reshape(20, 2)
Y = X.sum(axis=1, keepdims=True)


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 10

    def __getitem__(self, i):
        return X[2 * i : 2 * i + 2], Y[2 * i : 2 * i + 2]


def generator():
    while True:
        yield from (Sequence()[i] for i in range(10))


class Keeps(keras.callbacks.Callback):
    """Keeps the batches that are remembered before batch 7 of the second epoch."""

    def __init__(self, most):
        super().__init__()
        self.memory, self.found, self.epoch = BatchMemory(most), [], 0

    def on_train_begin(self, logs=None):
        self.memory.start()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.memory.arm()

    def on_train_batch_begin(self, batch, logs=None):
        self.memory.disarm()
        if (self.epoch, batch) == (1, 7):
            ahead = BACKEND == "torch"
            self.found = [self.memory.get(i + ahead) for i in range(1, 5)]

    def on_train_end(self, logs=None):
        self.memory.stop()


def data(kind):
    if kind == "arrays":
        return {"x": X, "y": Y, "batch_size": 2, "shuffle": False}
    if kind == "sequence":
        return {"x": Sequence(), "shuffle": False}
    if kind == "generator":
        return {"x": generator(), "steps_per_epoch": 10}
    tf = pytest.importorskip("tensorflow")
    return {"x": tf.data.Dataset.from_tensor_slices((X, Y)).batch(2)}


def train(keeps, kind, **compiling):
    layers = [keras.Input((2,)), keras.layers.Dense(1)]
    model = compiled_model(keras.Sequential(layers), "sgd", **compiling)
    how = {"epochs": 2, "verbose": 0, "validation_data": (X[::-1], Y[::-1])}
    model.fit(**data(kind), **how, callbacks=[keeps])


OTHERS = "sequence", "generator", "dataset"
KINDS = ["arrays", *(pytest.param(k, marks=pytest.mark.every) for k in OTHERS)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_batches_are_kept(kind):
    keeps = Keeps(3 + (BACKEND == "torch"))
    train(keeps, kind)
    assert keeps.found[3] is None
    for back, batch in enumerate(keeps.found[:3], 1):
        x, y, *_ = batch
        rows = slice(2 * (7 - back), 2 * (7 - back) + 2)
        np.testing.assert_array_equal(ops.convert_to_numpy(x), X[rows])
        np.testing.assert_array_equal(ops.convert_to_numpy(y), Y[rows])
    assert keeps.memory.get(1) is None  # forgotten after training


@pytest.mark.every
def test_large_batches_are_forgotten_earlier(monkeypatch):
    monkeypatch.setattr(batch_memory, "MOST_BYTES", 50)  # two batches of 24 bytes
    keeps = Keeps(4)
    train(keeps, "arrays")
    kept = 2 - (BACKEND == "torch")
    assert [x is None for x in keeps.found] == [i >= kept for i in range(4)]
