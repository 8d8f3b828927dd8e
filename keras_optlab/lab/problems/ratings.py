"""Ratings of items by users, factorized: embeddings with sparse gradients."""

from __future__ import annotations

import functools

import keras
import numpy as np
from keras import layers

from keras_optlab.lab.problems.problem import Data, Problem, Target

USERS = 4000
ITEMS = 2000
ROWS = 200_000
RANK = 4  # of the table of true ratings
WIDTH = 8  # of a vector of the model
NOISE = 0.5  # standard deviation, of ratings with deviation 1
EXPONENT = 0.8  # frequency of the n-th most frequent is n to the power -0.8
SEED = 0


@functools.cache
def ratings() -> Data:
    """Return ratings drawn at random: x is `(user, item)`, y the rating.

    Frequencies follow a power law, as those of words do: the first user has 4.6 % of
    the 160,000 training rows, half of the users have at most 18. A rating is the scalar
    product of a vector of the user and one of the item, with noise. Validation and test
    have 20,000 rows each.
    """
    random = np.random.RandomState(SEED)

    def drawn(number: int) -> np.ndarray:
        chances = np.arange(1, number + 1) ** -EXPONENT
        return random.choice(number, ROWS, p=chances / chances.sum())

    user, item = drawn(USERS), drawn(ITEMS)
    users, items = random.normal(size=(USERS, RANK)), random.normal(size=(ITEMS, RANK))
    exact = (users[user] * items[item]).sum(axis=1) / RANK**0.5
    y = (exact + NOISE * random.normal(size=ROWS)).astype("float32")[:, None]
    x = np.stack([user, item], axis=1).astype("int32")
    ends = [ROWS * 8 // 10, ROWS * 9 // 10]
    return Data(*zip(np.split(x, ends), np.split(y, ends), strict=True))


def embedding() -> Problem:
    """Return a factorization of ratings: one vector for each user and each item.

    A batch touches a few rows of both tables; on TensorFlow their gradients are sparse.
    Rows that come rarely want other rates than frequent ones. An error of 0.5, the
    noise, is the best possible one.
    """

    def model() -> keras.Model:
        pair = keras.Input((2,), dtype="int32")
        user = layers.Embedding(USERS, WIDTH, name="users")(pair[:, 0])
        item = layers.Embedding(ITEMS, WIDTH, name="items")(pair[:, 1])
        return keras.Model(pair, layers.Dot(axes=1)([user, item]))

    return Problem(
        model=model,
        data=ratings,
        loss="mse",
        metrics=[keras.metrics.RootMeanSquaredError],
        target=Target("root_mean_squared_error", 0.6),
        batch_size=256,
        epochs=3,
        evaluate_every=25,
        summary="200,000 ratings, vectors of width 8 for 4,000 users and 2,000 items",
    )
