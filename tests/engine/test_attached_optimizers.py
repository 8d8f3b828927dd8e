"""`attach`: optimizers of models that another model's `train_step` trains."""

import gc
import warnings
import weakref

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.verify.problems import values
from tests.engine.test_evaluation_weights import MOVERS, mover

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
HOW = {"batch_size": 8, "verbose": 0, "shuffle": False}


class Owner(keras.Model):
    """A model that trains a network with a second optimizer, as a GAN trains two."""

    def __init__(self, optimizer):
        super().__init__()
        keras.utils.set_random_seed(4)
        dense = keras.layers.Dense
        self.net = keras.Sequential([keras.Input((2,)), dense(3, "tanh"), dense(1)])
        self.own = optimizer
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.built = True

    def compile(self):
        super().compile(optimizer=None, loss="mse")
        self.own.build(self.net.trainable_variables)

    def call(self, x):
        return self.net(x)

    def loss_of(self, x, y):
        return ops.mean((self.net(x) - ops.convert_to_tensor(y)) ** 2)

    def train_step(self, *args):
        step = {"tensorflow": self.on_tensorflow, "torch": self.on_torch}[BACKEND]
        return step(*args[0][:2])

    def on_tensorflow(self, x, y):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = self.loss_of(x, y)
        weights = self.net.trainable_variables
        self.own.apply(tape.gradient(loss, weights), weights)
        return {"own": loss}

    def on_torch(self, x, y):
        import torch

        weights = self.net.trainable_variables
        for w in weights:
            w.value.grad = None
        loss = self.loss_of(x, y)
        loss.backward()
        with torch.no_grad():
            self.own.apply([w.value.grad for w in weights], weights)
        return {"own": loss.detach()}


not_jax = pytest.mark.skipif(
    BACKEND == "jax", reason="an optimizer that is not compiled has no state in its fit"
)


def data():
    x = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")
    return x, x[:, :1] - x[:, 1:]


def attached(name):
    owner = Owner(MOVERS[name]())
    owner.compile()
    owner.own.attach(owner.net)
    return owner


def by_hand(name):
    """Train without `attach`; return the training and the evaluation weights."""
    owner = Owner(MOVERS[name]())
    owner.compile()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        owner.fit(*data(), epochs=3, **HOW)
    training = values(owner.net.weights)
    with owner.own.evaluation_weights():
        return training, values(owner.net.weights)


def assert_close(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


@pytest.mark.every
@not_jax
@mover
def test_fit_of_the_owner_moves_it_there_and_back(name, tmp_path):
    training, evaluated = by_hand(name)
    owner, seen = attached(name), []

    class Looking(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(
                [
                    values(owner.net.weights),
                    owner.net.get_weights(),
                    owner.get_weights(),
                    owner.net.predict(data()[0], verbose=0),
                ]
            )
            owner.save_weights(tmp_path / f"{epoch}.weights.h5")
            owner.net.save(tmp_path / f"{epoch}.keras")

    owner.fit(*data(), epochs=3, callbacks=[Looking()], **HOW)
    assert_close(values(owner.net.weights), evaluated)
    there, net, whole, _ = seen[-1]
    assert_close(there, training)
    assert_close(net, evaluated)
    assert_close(whole, evaluated)
    shipped = keras.saving.load_model(tmp_path / "2.keras")
    assert_close(values(shipped.weights), evaluated)
    assert_close([seen[-1][3]], [owner.net.predict(data()[0], verbose=0)])
    resumed = attached(name)
    resumed.load_weights(tmp_path / "1.weights.h5")
    resumed.fit(*data(), **HOW)
    for a, b in zip(values(resumed.net.weights), evaluated, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@not_jax
@mover
@pytest.mark.slow
def test_train_on_batch_of_the_owner(name):
    _, evaluated = by_hand(name)
    owner = attached(name)
    x, y = data()
    for i in range(6):
        rows = slice(8 * (i % 2), 8 * (i % 2) + 8)
        owner.train_on_batch(x[rows], y[rows])
    for a, b in zip(values(owner.net.weights), evaluated, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@not_jax
@pytest.mark.slow
def test_it_may_be_attached_to_the_owner_itself():
    _, evaluated = by_hand("ema")
    owner = Owner(MOVERS["ema"]())
    owner.compile()
    owner.own.attach(owner)
    owner.fit(*data(), epochs=3, **HOW)
    assert_close(values(owner.net.weights), evaluated)


@not_jax
@pytest.mark.slow
def test_who_never_attaches_is_told_once():
    owner = Owner(optimizers.EMA(optimizers.AdamW(0.1)))
    owner.compile()
    with pytest.warns(UserWarning, match=r"EMA\(AdamW.*attach\(model\)"):
        owner.fit(*data(), **HOW)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        owner.fit(*data(), **HOW)
        attached("ema").fit(*data(), **HOW)
        plain = Owner(optimizers.AdamW(0.1))
        plain.compile()
        plain.fit(*data(), **HOW)


@mover
def test_a_model_that_trains_what_was_attached_by_another_optimizer(name):
    """Transfer learning: only the optimizer of `compile` changes the weights."""
    owner = attached(name)
    optimizer, net = owner.own, owner.net
    with optimizer.training_weights():
        for _ in range(3):
            g = [ops.ones(w.shape) for w in net.trainable_variables]
            optimizer.apply(g, net.trainable_variables)
    model = keras.Sequential([keras.Input((2,)), net])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    before = values(net.weights)
    model.fit(*data(), **HOW)
    assert_close(before, values(net.weights))


def test_what_cannot_be_attached_is_refused():
    net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(TypeError, match="takes a keras.Model. Received: model='net'"):
        optimizers.EMA(optimizers.Adam()).attach("net")
    with pytest.raises(ValueError, match="looks at each batch more than once"):
        optimizers.SAM(optimizers.SGD()).attach(net)
    optimizers.Adam().attach(net)  # one set of weights: no effect


@mover
def test_calls_elsewhere_have_to_say_where_they_train(name):
    owner = attached(name)
    weights = owner.net.trainable_variables
    with pytest.raises(RuntimeError, match="training_weights"):
        owner.own.apply([ops.ones(w.shape) for w in weights], weights)


def test_compiling_keeps_what_is_attached():
    owner = attached("ema")
    owner.net.compile("sgd", "mse")
    assert "get_weights" in vars(owner.net)
    owner.net.compile(optimizers.Adam(), "mse")
    assert "get_weights" in vars(owner.net)


def test_attached_models_are_freed():
    owner = attached("ema")
    gone = weakref.ref(owner.net)
    del owner
    keras.utils.clear_session()
    gc.collect()
    assert gone() is None
