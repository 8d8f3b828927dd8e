"""Siamese networks: two inputs by name, one encoder for both, a contrastive loss."""

import os

import keras
import numpy as np
from keras import ops

from tests.programs.common import (
    board,
    check_evaluation,
    check_fell,
    check_log,
    check_reloaded,
    check_weights,
)

no_second_pass = ""


def train(make, directory):
    x, y = pairs()
    model = siamese()
    model.compile(make(0.02, 0.05), loss=contrastive, metrics=["accuracy"])
    start = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    path = os.path.join(directory, "best.keras")
    best = keras.callbacks.ModelCheckpoint(path, "val_loss", save_best_only=True)
    history = model.fit(
        x,
        y,
        batch_size=16,  # the last batch has 8 rows
        epochs=8,
        verbose=0,
        validation_data=(x, y),
        callbacks=[best, board(directory)],
    ).history
    check_fell([start, *history["val_loss"]], to=0.7)
    check_weights(model, make)
    plain = siamese()
    plain.compile("sgd", loss=contrastive)
    check_evaluation(model, plain, x, y, history["val_loss"][-1])
    loaded = keras.models.load_model(path)
    figure = loaded.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(figure, min(history["val_loss"]), rtol=1e-4)
    check_reloaded(model, directory, x, y)
    check_log(directory, "epoch/loss", "epoch/accuracy", "step/loss")
    check_log(directory, "epoch/loss", "epoch/accuracy", run="validation")


def pairs():
    """Return pairs of noisy prototypes, and whether both have the same prototype."""
    rng = np.random.default_rng(0)
    prototypes, kinds = rng.normal(size=(3, 6)), rng.integers(3, size=(2, 72))
    kinds[1, ::2] = kinds[0, ::2]  # every other pair has the same prototype
    left, right = (prototypes[kinds] + 0.5 * rng.normal(size=(2, 72, 6))).astype("f4")
    y = (kinds[0] == kinds[1]).astype("float32")[:, None]
    return {"left": left, "right": right}, y


@keras.saving.register_keras_serializable("programs")
class Distance(keras.layers.Layer):
    """A layer that returns the distance between two codes."""

    def call(self, a, b):
        squared = ops.sum(ops.square(a - b), axis=1, keepdims=True)
        return ops.sqrt(ops.maximum(squared, 1e-7))


@keras.saving.register_keras_serializable("programs")
def contrastive(y, distance):
    apart = ops.maximum(1.0 - distance, 0.0)
    return ops.mean(y * distance**2 + (1 - y) * apart**2, axis=-1)


def siamese():
    encoder = keras.Sequential(
        [
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.BatchNormalization(momentum=0.7),
            keras.layers.Dense(4),
        ],
        name="encoder",
    )
    left, right = (keras.Input((6,), name=name) for name in ("left", "right"))
    distance = Distance()(encoder(left), encoder(right))
    return keras.Model({"left": left, "right": right}, distance)
