"""LoRA: low-rank adapters on layers that are frozen after pretraining."""

import keras
import numpy as np

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
ADAPTED = ("embedding", "project", "hidden")


def train(make, directory):
    rng = np.random.default_rng(0)
    x = rng.integers(12, size=(72, 5)).astype("int32")
    values = rng.normal(size=(12,))
    y = values[x].mean(1, keepdims=True).astype("float32")
    model = network()
    fit = {"batch_size": 16, "verbose": 0}
    model.compile(make(0.02, 0.1), "mse", jit_compile=JIT)
    model.fit(x, y, epochs=3, **fit)
    for name in ADAPTED:
        model.get_layer(name).enable_lora(2)
    frozen = numpy(model.non_trainable_variables)
    model.compile(make(0.02, 0.1), "mse", jit_compile=JIT)
    target = -y
    history = model.fit(
        x,
        target,
        epochs=8,
        validation_data=(x, target),
        callbacks=[board(directory, histograms_every=10)],
        **fit,
    ).history
    check_fell(history["val_loss"], to=0.8)
    for a, b in zip(numpy(model.non_trainable_variables), frozen, strict=True):
        np.testing.assert_array_equal(a, b)
    check_weights(model, make)
    plain = network()
    for name in ADAPTED:
        plain.get_layer(name).enable_lora(2)
    plain.compile("sgd", "mse")
    check_evaluation(model, plain, x, target, history["val_loss"][-1])
    check_log(directory, "epoch/loss", "optimizer/update_norm", histograms=True)
    check_file(model, directory, x, target, fit)


def check_file(model, directory, x, y, fit):
    """Check that a saved file includes the adapters, and that training continues.

    On saving, Keras merges the adapters into the frozen weights and resets them.
    """
    expected = model.evaluate(x, y, verbose=0)
    loaded = check_reloaded(model, directory, x, atol=1e-4)
    np.testing.assert_allclose(loaded.evaluate(x, y, verbose=0), expected, rtol=1e-3)
    losses = loaded.fit(x, y, epochs=2, **fit).history["loss"]
    assert losses[-1] < 2 * expected + 0.05


def network():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(12, 6, name="embedding"),
            layers.EinsumDense("btd,de->bte", (None, 6), name="project"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(8, activation="tanh", name="hidden"),
            layers.Dense(1, name="head"),
        ]
    )
