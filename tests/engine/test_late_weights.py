"""Weights that are set after the optimizer is built, and before the first step."""

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from tests.support.problems import TAMED, compiled_model

pytestmark = pytest.mark.sampled

X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
Y = 2 * X[:, :1]
COPYING = [
    name
    for name in optimizers.names()
    if any(slot.init == "weight" for slot in optimizers.info(name).cls.slots)
]


def make(name):
    if name in optimizers.wrappers():
        return optimizers.create(name, optimizer=optimizers.SGD(0.01))
    return optimizers.create(name, **TAMED.get(name, {}))


def fit(model):
    model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)


def train_on_batch(model):
    for _ in range(3):
        model.train_on_batch(X, Y)


@pytest.mark.slow
@pytest.mark.parametrize("train", [fit, train_on_batch])
@pytest.mark.parametrize("name", COPYING + optimizers.wrappers())
def test_they_are_where_training_starts(name, train):
    ends = []
    for build in False, True:
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((4,)), *layers])
        compiled_model(model, make(name))
        weights = [5 * w + 1 for w in model.get_weights()]
        if build:
            model.optimizer.build(model.trainable_variables)
        model.set_weights(weights)
        train(model)
        ends.append(model.get_weights())
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="torch compiles so")
@pytest.mark.parametrize("name", ["sgd", "momentum", "adamw", "lion"])
def test_a_whole_step_that_torch_compiles(name):
    import torch

    torch._dynamo.reset()
    ends = []
    for jit_compile in False, True:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.compile(make(name), loss="mse", jit_compile=jit_compile)
        model.fit(X, X[:, :3], batch_size=8, shuffle=False, verbose=0)
        ends.append(model.get_weights())
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
