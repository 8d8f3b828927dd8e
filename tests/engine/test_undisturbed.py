"""An evaluation in the middle of a training changes nothing, also if it fails."""

import random

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.engine import undisturbed

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Noise(keras.layers.Layer):
    """Adds noise, also in inference, and counts its calls."""

    def __init__(self):
        super().__init__()
        self.seed = keras.random.SeedGenerator(7)
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.calls.assign(self.calls + 1)
        return x + keras.random.normal(ops.shape(x), seed=self.seed)


def trained(optimizer=None):
    layers = [keras.layers.Dense(4, name="frozen"), Noise(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.get_layer("frozen").trainable = False
    model.compile(optimizer or keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=4, verbose=0)
    return model


def state(model):
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    return [np.array(ops.convert_to_numpy(v)) for v in variables]


def same(before, after):
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_all_state_is_restored():
    model = trained()
    before = state(model)
    with undisturbed(model):
        values = model.evaluate(X, Y, verbose=0)
        assert not same(before, state(model))
    assert same(before, state(model))
    with undisturbed(model):
        assert model.evaluate(X, Y, verbose=0) == values


def test_random_numbers_are_restored_or_go_on():
    model = trained()
    for restored in True, False:
        keras.utils.set_random_seed(2)
        expected = random.random(), np.random.rand()
        keras.utils.set_random_seed(2)
        with undisturbed(model, random_numbers=restored):
            random.random(), np.random.rand()
        assert ((random.random(), np.random.rand()) == expected) is restored


@pytest.mark.skipif(BACKEND != "torch", reason="only torch has modes and a generator")
def test_torch_continues_in_the_same_modes_and_random_numbers():
    import torch

    class Parts(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = keras.layers.Dense(2), keras.layers.Dense(1)

        def call(self, x):
            return self.b(self.a(x))

    model = Parts()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    model.train()
    model.a.eval()
    numbers = torch.get_rng_state()
    with undisturbed(model):
        model.evaluate(X, Y, verbose=0)
        torch.rand(3)
    assert [m.training for m in (model, model.a, model.b)] == [True, False, True]
    assert torch.equal(torch.get_rng_state(), numbers)


class Broken(keras.utils.PyDataset):
    """Batches, of which the second or the first fails."""

    def __init__(self, fails_at):
        super().__init__()
        self.fails_at = fails_at

    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index == self.fails_at:
            return X[:4, :2], Y[:4]  # does not fit the model
        return X[:4], Y[:4]


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("fails_at", [1, 0])
def test_all_state_is_restored_after_an_error(fails_at):
    model = trained(optimizers.EMA(optimizers.Adam(0.1)))
    optimizer = model.optimizer
    with optimizer.training_weights():
        before = state(model)
        error = pytest.raises(Exception, match=r"incompatible|shape|cannot be mult")
        with error, undisturbed(model):
            model.evaluate(Broken(fails_at), verbose=0)
        assert same(before, state(model))
        assert not optimizer.at_evaluation_weights


@pytest.mark.every
def test_the_weights_are_those_for_evaluation():
    model = trained(optimizers.EMA(optimizers.Adam(0.1)))
    evaluated = model.get_weights()
    with model.optimizer.training_weights():
        raw = [np.array(ops.convert_to_numpy(w)) for w in model.weights]
        with undisturbed(model):
            now = [np.array(ops.convert_to_numpy(w)) for w in model.weights]
    assert same(evaluated, now)
    assert not same(raw, now)


@pytest.mark.every
def test_averages_of_use_ema_can_be_the_weights():
    model = trained(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    kernel = model.layers[-1].kernel
    before, average = state(model), model.optimizer._model_variables_moving_average[0]
    kernel.assign(kernel + 1)
    before = state(model)
    with undisturbed(model, averages=True):
        assert same([ops.convert_to_numpy(kernel)], [ops.convert_to_numpy(average)])
    assert same(before, state(model))
