"""Models whose train step uses an optimizer of its own, as a GAN does."""

import keras
import numpy as np
import pytest

BACKEND = keras.backend.backend()

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)

# On JAX, `fit` passes only the state of the compiled optimizer to a step.
by_another = pytest.mark.skipif(BACKEND == "jax", reason="a step has one optimizer")


class OwnOptimizer(keras.Model):
    """A model that takes `times` steps of `d_optimizer` a batch, and no other ones."""

    def __init__(self):
        super().__init__()
        self.net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        self.built = True

    def compile(self, d_optimizer, times=1, **kwargs):
        super().compile(**kwargs)
        self.d_optimizer, self.times = d_optimizer, times

    def train_step(self, data):
        x, y = data
        for _ in range(self.times):
            loss, gradients = self.loss_and_gradients(x, y)
            self.d_optimizer.apply(gradients, self.net.trainable_weights)
        return {"d_loss": loss}

    def test_step(self, data):
        x, y = data
        return {"d_loss": keras.ops.mean((self.net(x) - y) ** 2)}

    def loss_and_gradients(self, x, y):
        weights = self.net.trainable_weights
        if BACKEND == "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self.net(x) - y) ** 2)
            return loss, tape.gradient(loss, weights)
        self.zero_grad()
        loss = keras.ops.mean((self.net(x) - y) ** 2)
        loss.backward()
        return loss.detach(), [w.value.grad for w in weights]


def own(d_optimizer, **kwargs):
    """Return a model that trains by this optimizer, not by the compiled one."""
    keras.utils.set_random_seed(1)
    model = OwnOptimizer()
    model.compile(d_optimizer, **kwargs)
    return model


def several(*optimizers):
    """Return a model with one optimizer for layer `a` and one for layer `b`."""
    keras.utils.set_random_seed(1)
    by_layer = keras.optimizers.OptimizerMap(optimizers[0])
    by_layer[".*b/.*"] = optimizers[1]
    layers = [keras.layers.Dense(2, name="a"), keras.layers.Dense(1, name="b")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(keras.optimizers.MultiOptimizer(by_layer), loss="mse")
    return model


def fit(model, *callbacks, epochs=2, **kwargs):
    """Train for four steps an epoch; return the history."""
    data = {"x": X, "y": Y, "batch_size": 8} | kwargs
    return model.fit(**data, epochs=epochs, verbose=0, callbacks=callbacks).history
