"""Transfer learning: train a head on a frozen base, then all but the normalization."""

import os

import keras
import numpy as np

from keras_optlab import Group, layerwise_decay
from tests.programs.common import (
    JIT,
    board,
    check_evaluation,
    check_fell,
    check_log,
    check_reloaded,
    check_weights,
    numpy,
)

no_second_pass = ""


def train(make, directory):
    x, y = pictures()
    base = backbone()
    pretrain(base, make, x, y)
    pretrained = numpy(base.weights)
    base.trainable = False
    model = with_head(base)
    model.compile(make(0.02, 0.1), "mse", jit_compile=JIT)
    check_untrained_file(model, directory, x)
    fit = {"batch_size": 16, "verbose": 0, "validation_data": (x, 2 * y)}
    fit["callbacks"] = [board(directory)]
    first = model.fit(x, 2 * y, epochs=4, **fit).history
    assert_same(numpy(base.weights), pretrained)
    check_weights(model, make)

    unfreeze(base)
    for arguments in (
        {"groups": [Group(base, learning_rate=0.1)]},
        {"groups": layerwise_decay(model, 0.5)},
    ):
        before = numpy(base.weights)
        model.compile(make(0.005, 0.02, **arguments), "mse", jit_compile=JIT)
        second = model.fit(x, 2 * y, epochs=3, **fit).history
        after = numpy(base.weights)
        frozen = [not w.trainable for w in base.weights]
        assert_same(chosen(after, frozen), chosen(before, frozen))
        trained = [not f for f in frozen]
        for a, b in zip(chosen(after, trained), chosen(before, trained), strict=True):
            assert np.abs(a - b).max() > 0
        check_weights(model, make)
    check_fell([first["val_loss"][0], second["val_loss"][-1]], to=0.8)
    plain = with_head(backbone())
    plain.compile("sgd", "mse")
    plain.layers[1].trainable = False
    unfreeze(plain.layers[1])  # Keras orders weights: trainable ones first
    check_evaluation(model, plain, x, 2 * y, second["val_loss"][-1])
    check_reloaded(model, directory, x, 2 * y)
    found = check_log(directory, "epoch/loss", "optimizer/update_norm")
    assert len(found["epoch/loss"]) == 4 + 3 + 3  # the three fits, appended


def pictures():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(72, 6, 6, 1)).astype("float32")
    return x, x[:, :3].mean((1, 2)) - 0.5 * x[:, 3:].mean((1, 2))


def backbone():
    layers = keras.layers
    pixels = keras.Input((6, 6, 1))
    h = layers.Conv2D(4, 3, padding="same", name="conv_1")(pixels)
    h = layers.BatchNormalization(name="norm_1")(h)
    h = layers.Activation("relu")(h)
    h = layers.Conv2D(4, 3, strides=2, name="conv_2")(h)
    h = layers.BatchNormalization(name="norm_2")(h)
    return keras.Model(pixels, layers.Flatten()(h), name="base")


def with_head(base):
    pixels = keras.Input((6, 6, 1))
    outputs = keras.layers.Dense(1, name="head")(base(pixels, training=False))
    return keras.Model(pixels, outputs)


def pretrain(base, make, x, y):
    model = keras.Sequential([base, keras.layers.Dense(1)])
    model.compile(make(0.02, 0.05), "mse", jit_compile=JIT)
    losses = model.fit(x, y, batch_size=16, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def check_untrained_file(model, directory, x):
    """Check a file saved after `compile` and before the first step."""
    path = os.path.join(directory, "untrained.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-5)


def unfreeze(base):
    base.trainable = True
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def chosen(xs, which):
    return [x for x, is_one in zip(xs, which, strict=True) if is_one]


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)
