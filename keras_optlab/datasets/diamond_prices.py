"""The prices of 53,940 diamonds."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from importlib import resources

import numpy as np

NUMBERS = ("carat", "depth", "table", "x", "y", "z")
GRADES = {  # each from the worst to the best
    "cut": ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    "color": tuple("JIHGFED"),
    "clarity": ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
}


@dataclass(frozen=True, eq=False)
class Diamonds:
    """Features and prices of diamonds, split for training, validation and test.

    Attributes:
        x_train: 43,152 rows of 26 features, float32. The six measurements (carat,
            depth, table, x, y, z) are standardised to mean 0 and standard deviation 1
            with the statistics of the training rows; the others are the grades of cut,
            color and clarity, one-hot.
        y_train: Target of each row, float32: the natural logarithm of the price in US
            dollars, standardised in the same way; `dollars` undoes it.
        x_val: 5,394 rows for validation.
        y_val: Their targets.
        x_test: 5,394 rows for the final test.
        y_test: Their targets.
        feature_names: Names of the 26 columns, such as `"carat"` or `"cut=Ideal"`.
        log_price_mean: Mean of the logarithm of the price in the training rows.
        log_price_std: Its standard deviation.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    feature_names: tuple[str, ...]
    log_price_mean: float
    log_price_std: float

    def dollars(self, y: np.ndarray) -> np.ndarray:
        """Return prices in US dollars from targets or predictions of a model."""
        return np.exp(np.asarray(y) * self.log_price_std + self.log_price_mean)


def diamonds() -> Diamonds:
    """Return the diamonds of ggplot2, prepared for regression.

    The rows are put in the order of `numpy.random.RandomState(0).permutation(53940)`;
    then the first 80 % are for training, the next 10 % for validation, and the last
    10 % for the test.

    Source:
        The data set `diamonds` of the R package ggplot2. MIT.

    Example:
        >>> data = diamonds()
        >>> data.x_train.shape, data.x_val.shape, data.x_test.shape
        ((43152, 26), (5394, 26), (5394, 26))
        >>> data.dollars(data.y_test[:3]).round()
        array([ 898., 1945.,  658.], dtype=float32)
    """
    columns = _columns()
    # NumPy guarantees a fixed stream for RandomState, but not for a Generator.
    order = np.random.RandomState(0).permutation(len(columns["price"]))
    train, val, test = np.split(order, [len(order) * 8 // 10, len(order) * 9 // 10])

    measured = np.stack([columns[name].astype("float64") for name in NUMBERS], axis=1)
    log_price = np.log(columns["price"].astype("float64"))
    measured = (measured - measured[train].mean(axis=0)) / measured[train].std(axis=0)
    mean, std = log_price[train].mean(), log_price[train].std()
    grades = [columns[name][:, None] == grades for name, grades in GRADES.items()]

    x = np.concatenate([measured, *grades], axis=1).astype("float32")
    y = ((log_price - mean) / std).astype("float32")
    return Diamonds(
        *(part[rows] for rows in (train, val, test) for part in (x, y)),
        feature_names=NUMBERS + tuple(f"{g}={v}" for g in GRADES for v in GRADES[g]),
        log_price_mean=float(mean),
        log_price_std=float(std),
    )


def _columns() -> dict[str, np.ndarray]:
    file = resources.files("keras_optlab.datasets") / "data" / "diamonds.csv.gz"
    with file.open("rb") as stream, gzip.open(stream, "rt", encoding="utf-8") as text:
        header, *rows = csv.reader(text)
    return dict(zip(header, np.array(rows).T, strict=True))
