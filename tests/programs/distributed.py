"""Two devices: a model in a strategy's scope, and resuming from checkpoints."""

import contextlib
import os

import keras
import numpy as np
import pytest

from tests.programs.common import (
    BACKEND,
    JIT,
    board,
    check_evaluation,
    check_fell,
    check_log,
    check_weights,
    numpy,
)
from tests.support.problems import mirrored_strategy

no_second_pass = (
    "not possible under a `tf.distribute` strategy" if BACKEND == "tensorflow" else ""
)


def train(make, directory):
    if BACKEND == "torch":
        pytest.skip("torch distributes by several processes")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(72, 6)).astype("float32")
    y = np.tanh(x @ rng.normal(size=(6, 2))).astype("float32")
    with distributed() as scope:
        with scope():
            model = network()
            model.compile(make(0.02, 0.05), "mse", jit_compile=JIT)
        path = os.path.join(directory, "{epoch}.keras")
        history = model.fit(
            x,
            y,
            batch_size=16,
            epochs=4,
            verbose=0,
            validation_data=(x, y),
            callbacks=[keras.callbacks.ModelCheckpoint(path), board(directory)],
        ).history
        check_fell(history["val_loss"], to=0.8)
        check_weights(model, make)
        check_log(directory, "epoch/loss", "optimizer/gradient_norm")
        with scope():
            plain = network()
            plain.compile("sgd", "mse")
        check_evaluation(model, plain, x, y, history["val_loss"][-1])
        check_going_on(model, scope, path, x, y, history)


def check_going_on(model, scope, path, x, y, history):
    """Check the checkpoints, and that a resumed run equals the uninterrupted one."""
    with scope():
        loaded = keras.models.load_model(path.format(epoch=4))
        second = keras.models.load_model(path.format(epoch=2))
    figure = second.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(figure, history["val_loss"][1], rtol=1e-4)
    for one in (model, loaded):
        one.fit(x, y, batch_size=16, epochs=1, verbose=0, shuffle=False)
        assert numpy([one.optimizer.iterations]) == [5 * 5]
    for a, b in zip(numpy(model.weights), numpy(loaded.weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def network():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="tanh"),
            layers.LayerNormalization(),
            layers.Dense(2),
        ]
    )


@contextlib.contextmanager
def distributed():
    """Yield a function that returns the scope in which to create models."""
    if BACKEND == "tensorflow":
        yield mirrored_strategy().scope
        return
    distribution = keras.distribution.DataParallel(
        devices=keras.distribution.list_devices(), auto_shard_dataset=False
    )
    keras.distribution.set_distribution(distribution)
    try:
        yield contextlib.nullcontext
    finally:
        keras.distribution.set_distribution(None)
