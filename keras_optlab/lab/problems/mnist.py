"""Problems on MNIST."""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from keras_optlab.datasets import mnist
from keras_optlab.lab.problems.problem import Data, Problem, Target

BATCH_SIZE = 128
FOR_VALIDATION = 10_000  # the last training images
SMOOTHING = 0.1  # of the labels


@functools.cache
def images() -> Data:
    """Return images in [0, 1] with one-hot labels: 50,000, 10,000 and 10,000."""
    (x, y), test = mnist()

    def prepared(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x.astype("float32")[..., None] / 255, np.eye(10, dtype="float32")[y]

    x, y = prepared(x, y)
    train, rest = slice(-FOR_VALIDATION), slice(-FOR_VALIDATION, None)
    return Data((x[train], y[train]), (x[rest], y[rest]), prepared(*test))


def mlp() -> Problem:
    """Return two hidden layers of 512 units, and 98 % as the target."""

    def model() -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Flatten(),
                layers.Dense(512, "relu"),
                layers.Dense(512, "relu"),
                layers.Dense(10, name="output"),
            ]
        )

    return _problem(
        model,
        target=Target("accuracy", 0.98),
        epochs=4,
        summary="MNIST, an MLP 784-512-512-10",
    )


def cnn() -> Problem:
    """Return two convolutions and two dense layers, and 99 % as the target."""

    def model() -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(128, "relu"),
                layers.Dense(10, name="output"),
            ]
        )

    return _problem(
        model,
        target=Target("accuracy", 0.99),
        epochs=6,
        summary="MNIST, two convolutions (32, 64) with pooling, a dense layer of 128",
    )


def logreg() -> Problem:
    """Return logistic regression, without label smoothing: a convex problem."""

    def model() -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Flatten(),
                layers.Dense(10, name="output"),
            ]
        )

    return _problem(
        model,
        target=Target("accuracy", 0.925),
        epochs=4,
        summary="MNIST, logistic regression 784-10",
        smoothing=0.0,
    )


@functools.cache
def pixels() -> Data:
    """Return images as vectors of 784 pixels, each its own target."""
    flat = (part[0].reshape(len(part[0]), -1) for part in images() if part)
    return Data(*((x, x) for x in flat))


def autoencoder() -> Problem:
    """Return an autoencoder with 32 numbers in the middle; the error is of pixels.

    Its tanh units and narrow middle make plain gradient descent slow.

    Source: Hinton and Salakhutdinov, 2006, "Reducing the dimensionality of data with
    neural networks", the same kind of network, larger.
    """

    def model() -> keras.Model:
        hidden = [layers.Dense(units, "tanh") for units in (512, 128, 32, 128, 512)]
        ends = keras.Input((784,)), layers.Dense(784, "sigmoid", name="output")
        return keras.Sequential([ends[0], *hidden, ends[1]])

    return Problem(
        model=model,
        data=pixels,
        loss="mse",
        target=Target("loss", 0.012),
        batch_size=BATCH_SIZE,
        epochs=4,
        evaluate_every=50,
        summary="MNIST, an autoencoder 784-512-128-32-128-512-784",
    )


def _problem(
    model: Callable[[], keras.Model],
    target: Target,
    epochs: float,
    summary: str,
    smoothing: float = SMOOTHING,
) -> Problem:
    return Problem(
        model=model,
        data=images,
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=smoothing
        ),
        metrics=["accuracy"],
        target=target,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        evaluate_every=10,
        summary=summary,
    )
