"""Regression on tables: the prices of diamonds, the course of diabetes."""

from __future__ import annotations

import functools

import keras
import numpy as np
from keras import layers

from keras_optlab.datasets import diamonds as load_diamonds
from keras_optlab.lab.problems.problem import Data, Problem, Target, split


@functools.cache
def prices() -> tuple[Data, float]:
    """Return the diamonds, and the standard deviation of the log price."""
    d = load_diamonds()
    parts = (d.x_train, d.y_train), (d.x_val, d.y_val), (d.x_test, d.y_test)
    return Data(*((x, y[:, None]) for x, y in parts)), d.log_price_std


@functools.cache
def patients() -> tuple[Data, float]:
    """Return the patients with standardised targets, and the targets' deviation.

    Raises:
        ImportError: if scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_diabetes
    except ImportError as error:
        raise ImportError(
            "The data of diabetes-mlp comes with scikit-learn, which is not installed. "
            "It is in the extra `lab`: pip install 'keras-optlab[lab]'"
        ) from error
    data = split(*load_diabetes(return_X_y=True, scaled=False))
    x, y = data.train
    x_mean, x_std, y_mean, y_std = x.mean(0), x.std(0), y.mean(), y.std()

    def standardised(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y = (y[:, None] - y_mean) / y_std
        return ((x - x_mean) / x_std).astype("float32"), y.astype("float32")

    return Data(*(standardised(*part) for part in data if part)), float(y_std)


class LogPriceError(keras.metrics.RootMeanSquaredError):
    """Root mean square error of the log price of a diamond, in its own unit."""

    def __init__(self) -> None:
        super().__init__(name="rmse")
        self.unit = prices()[1]

    def result(self):
        """Return the error."""
        return super().result() * self.unit


class ProgressionError(keras.metrics.RootMeanSquaredError):
    """Root mean square error of the progression of diabetes, in its own unit."""

    def __init__(self) -> None:
        super().__init__(name="rmse")
        self.unit = patients()[1]

    def result(self):
        """Return the error."""
        return super().result() * self.unit


def diamonds_mlp() -> Problem:
    """Return two hidden layers of 64 units for the log price of a diamond.

    The model predicts the standardised logarithm of the price; the metric `"rmse"` is
    the error of the logarithm itself.
    """

    def model() -> keras.Model:
        return _mlp(26, 64)

    return Problem(
        model=model,
        data=lambda: prices()[0],
        loss="mse",
        metrics=[LogPriceError],
        target=Target("rmse", 0.1),
        batch_size=128,
        epochs=20,
        evaluate_every=50,
        summary="diamonds, log price from 26 features, an MLP 26-64-64-1",
    )


def diabetes_mlp() -> Problem:
    """Return two hidden layers of 32 units for the progression of diabetes in a year.

    442 patients, ten measurements each. The metric `"rmse"` is in the unit of the data,
    a score from 25 to 346.

    Source: Efron, Hastie, Johnstone and Tibshirani, 2004, "Least angle regression";
    the data comes with scikit-learn.
    """

    def model() -> keras.Model:
        return _mlp(10, 32)

    return Problem(
        model=model,
        data=lambda: patients()[0],
        loss="mse",
        metrics=[ProgressionError],
        target=Target("rmse", 57.0),
        batch_size=32,
        epochs=30,
        evaluate_every=10,
        summary="diabetes (scikit-learn), 442 patients, an MLP 10-32-32-1",
    )


def _mlp(features: int, units: int) -> keras.Model:
    hidden = [layers.Dense(units, activation="relu") for _ in range(2)]
    output = layers.Dense(1, name="output")
    return keras.Sequential([keras.Input((features,)), *hidden, output])
