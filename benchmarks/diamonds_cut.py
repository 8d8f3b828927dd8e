"""A problem for `optlab`: the cut of a diamond, of five, from what else is known of it.

optlab compare benchmarks/diamonds_cut.py --optimizers adamw,muon --objective final
"""

import keras
import numpy as np
from keras import layers

from keras_optlab.datasets import diamonds
from keras_optlab.lab.problems import Data, Problem, Target


def data():
    d = diamonds()
    is_cut = np.array([name.startswith("cut=") for name in d.feature_names])

    def part(x, log_price):
        x_and_price = np.concatenate([x[:, ~is_cut], log_price[:, None]], axis=1)
        return x_and_price, x[:, is_cut].argmax(axis=1)

    parts = (d.x_train, d.y_train), (d.x_val, d.y_val), (d.x_test, d.y_test)
    return Data(*(part(*p) for p in parts))


def model():
    hidden = [layers.Dense(64, "relu"), layers.Dense(64, "relu")]
    return keras.Sequential(
        [keras.Input((22,)), *hidden, layers.Dense(5, name="output")]
    )


def problem():
    return Problem(
        model=model,
        data=data,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        target=Target("accuracy", 0.78),
        batch_size=128,
        epochs=20,
        evaluate_every=100,
        summary="diamonds, which of 5 cuts from 22 features, an MLP 22-64-64-5",
    )
