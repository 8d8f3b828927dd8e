"""A small model, and Keras callbacks with which a test controls a `fit`."""

import functools

import keras
import numpy as np

from tests.support.problems import compiled_model

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def new_model(optimizer=None, **compiling):
    """Return a new linear model."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    return compiled_model(model, optimizer or keras.optimizers.SGD(0.05), **compiling)


@functools.cache
def compiled_once(**optimizer):
    model = new_model(keras.optimizers.SGD(0.05, **optimizer))
    return model, model.get_weights()


def compiled(**optimizer):
    """Return a cached model with its initial weights, to save tracing it again."""
    model, weights = compiled_once(**optimizer)
    model.set_weights(weights)
    return model


def fit(model, callbacks, epochs=6, **kwargs):
    data = {"x": X, "y": Y, "batch_size": 8} | kwargs
    return model.fit(**data, epochs=epochs, callbacks=callbacks, verbose=0)


class Script(keras.callbacks.Callback):
    """A callback that reports a scripted metric and keeps each epoch's weights."""

    def __init__(self, values, name="val_loss"):
        super().__init__()
        self.values, self.name, self.weights = values, name, []

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]
        self.weights.append(self.model.get_weights())


class ScriptedMetric(keras.metrics.Metric):
    """A metric with a scripted value for each batch, counted over all epochs."""

    def __init__(self, values, name="error"):
        super().__init__(name=name)
        self.values = np.asarray(values, "float32")
        self.seen = self.add_variable((), "zeros", dtype="int32", name="seen")

    def update_state(self, *args, **kwargs):
        self.seen.assign(self.seen + 1)

    def result(self):
        last = keras.ops.maximum(self.seen - 1, 0)
        return keras.ops.take(keras.ops.convert_to_tensor(self.values), last)

    def reset_state(self):
        """Keep the count of batches in the next epoch."""


class EveryStep(keras.callbacks.Callback):
    """A callback that keeps `function(model)` by the number of steps taken."""

    def __init__(self, function):
        super().__init__()
        self.function, self.kept = function, {}

    def keep(self, *_):
        model = self.model
        step = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
        self.kept[step] = self.function(model)

    def on_train_batch_begin(self, batch, logs=None):
        self.keep()

    def on_epoch_end(self, epoch, logs=None):
        self.keep()


class Clock(keras.callbacks.Callback):
    """A clock by which each batch takes `seconds`."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.now = seconds, 100.0

    def __call__(self):
        return self.now

    def on_train_batch_begin(self, batch, logs=None):
        self.now += self.seconds


class At(keras.callbacks.Callback):
    """A callback that calls `action` after a batch, or at the end, of an epoch."""

    def __init__(self, epoch, action, batch=None):
        super().__init__()
        self.epoch, self.action, self.batch = epoch, action, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.now, batch) == (self.epoch, self.batch):
            self.action(self.model)

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch and self.batch is None:
            self.action(self.model)


def fail(model):
    raise RuntimeError("failed")
