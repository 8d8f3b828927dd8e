"""Models and data on which finders are tested."""

import keras
import numpy as np

import keras_optlab as kol

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(70, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def network(*layers, optimizer=None, **compiling):
    """Return a model with state of every kind: averages, seeds, running statistics."""
    keras.utils.set_random_seed(1)
    hidden = [
        keras.layers.Dense(4),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential([keras.Input((3,)), *layers, *hidden])
    optimizer = optimizer or kol.optimizers.EMA(kol.optimizers.Adam(0.01))
    model.compile(optimizer, "mse", metrics=["mae"], **compiling)
    return model


def small(*layers, **compiling):
    """Return a linear model, which is traced fast."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
    model.compile("sgd", "mse", **compiling)
    return model


def state(model):
    """Return all variables of a model and its optimizer as arrays."""
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


class Limited(keras.layers.Layer):
    """A layer that runs out of memory in training, above a batch size.

    It raises what each backend raises, and counts the sizes that it saw in training.
    """

    def __init__(self, most, error=None):
        super().__init__()
        self.most, self.error, self.seen = most, error, []

    def compute_output_spec(self, x, training=None):
        return keras.KerasTensor(x.shape, x.dtype)

    def look(self, x):
        self.seen.append(x.shape[0])
        if x.shape[0] <= self.most:
            return x
        raise self.error or out_of_memory()

    def call(self, x, training=None):
        if not training:
            return x
        if BACKEND != "tensorflow":
            return self.look(x)
        import tensorflow as tf

        y = tf.py_function(self.look, [tf.stop_gradient(x)], x.dtype)
        y.set_shape(x.shape)
        return x + 0.0 * y


def out_of_memory():
    """Return the backend's error for a GPU without memory."""
    if BACKEND == "jax":
        import jax

        return jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
    if BACKEND == "torch":
        import torch

        return torch.OutOfMemoryError("out of memory")
    return MemoryError("out of memory")  # TensorFlow makes ResourceExhausted of it
