"""Training a model and leaving it as it was."""

import contextlib
import random

import keras
import numpy as np
import pytest

import keras_optlab as kol
from keras_optlab.engine.model.snapshot import state_kept
from keras_optlab.finders.building import build
from tests.finders.models import BACKEND, X, Y, network, same, state

DATA = {"x": X, "y": Y, "batch_size": 8}


def trained(model):
    model.fit(**DATA, verbose=0, epochs=2)
    return model


def batch():
    return X[:8], Y[:8]


@pytest.mark.every
@pytest.mark.sampled
@pytest.mark.parametrize("error", [KeyboardInterrupt, None, RuntimeError])
def test_everything_is_as_before(error):
    model = trained(network())
    before, history, function = state(model), model.history, model.train_function
    draws = random.getstate(), np.random.get_state()[1].tolist()
    with pytest.raises(error) if error else contextlib.nullcontext(), state_kept(model):
        model.make_train_function(force=True)
        trained(model)
        model.steps_per_execution = 3
        np.random.rand(3)
        random.random()
        model.stop_training = True
        if error:
            raise error
    assert same(state(model), before)
    assert model.history is history
    assert model.train_function is function
    assert model.steps_per_execution == 1
    assert not model.stop_training
    assert draws == (random.getstate(), np.random.get_state()[1].tolist())


@pytest.mark.every
def test_restoring_in_between():
    model = network()
    build(model, batch, DATA)
    before = state(model)
    with state_kept(model) as kept:
        trained(model)
        assert not same(state(model), before)
        kept.put_back()
        assert same(state(model), before)


@pytest.mark.every
@pytest.mark.sampled
@pytest.mark.parametrize("stock", [False, True])
def test_the_next_training_is_the_same(stock):
    def optimizer():
        stocks = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01))
        return stocks if stock else kol.optimizers.EMA(kol.optimizers.Adam(0.01))

    alone = trained(network(optimizer=optimizer()))
    model = network(optimizer=optimizer())
    build(model, batch, DATA)
    with state_kept(model):
        trained(model)
    assert "history" not in vars(model)
    trained(model)
    assert same(state(model), state(alone))
    assert model.history.history == alone.history.history


@pytest.mark.every
def test_warnings_are_still_to_come():
    schedule = kol.schedules.Cosine(0.01, steps=2)
    model = network(optimizer=kol.optimizers.Adam(schedule))
    build(model, batch, DATA)
    with state_kept(model), pytest.warns(UserWarning, match="ends at update 2"):
        trained(model)
    with pytest.warns(UserWarning, match="ends at update 2"):
        trained(model)


@pytest.mark.skipif(BACKEND == "jax", reason="on JAX a step has no such state")
def test_state_of_a_train_step_of_the_models_own():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)
            self.other = kol.optimizers.Adam(0.01)
            self.steps_seen = 0

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            self.steps_seen += 1
            return super().train_step(data)

    model = Own()
    model.compile("sgd", "mse", run_eagerly=True)
    build(model, batch, DATA)
    weights = model.get_weights()
    with state_kept(model):
        trained(model)
        assert model.steps_seen > 0
    assert model.steps_seen == 0
    assert same(model.get_weights(), weights)


@pytest.mark.every
def test_a_model_without_an_input_layer():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("adam", "mse")
    build(model, batch, DATA)
    before = state(model)
    with state_kept(model):
        trained(model)
    assert same(state(model), before)
