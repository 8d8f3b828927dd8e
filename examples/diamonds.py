"""Predict the price of a diamond from its size, cut, color and clarity.

    python examples/diamonds.py

A regression on 53,940 diamonds, in half a minute on two CPU cores. It runs on each
backend: set KERAS_BACKEND to tensorflow (the default), jax or torch.
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_optlab as kol

BATCH_SIZE = 256


def network(features):
    """Return two hidden layers and one output: the logarithm of the price."""
    hidden = [layers.Dense(units, activation="silu") for units in (128, 64)]
    return keras.Sequential([keras.Input((features,)), *hidden, layers.Dense(1)])


def r2(truth, prediction):
    """Return the explained fraction of the variance: 1 is perfect, 0 the mean."""
    return 1 - np.mean((truth - prediction) ** 2) / np.var(truth)


def draw(truth, prediction, path):
    """Save a picture of predicted and true prices, if matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print(f"For a picture of it: {sys.executable} -m pip install matplotlib")
        return
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.loglog(truth, prediction, ".", markersize=3, alpha=0.3)
    axes.axline((1_000, 1_000), (10_000, 10_000), color="black", linewidth=1)
    for axis in axes.xaxis, axes.yaxis:
        axis.set_major_formatter("${x:,.0f}")
    axes.set(xlabel="true price", ylabel="predicted price", aspect="equal")
    axes.set_title(f"{len(truth):,} diamonds that the network has not seen")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    print(f"Saved a picture of it: {path}")


def main():
    parser = argparse.ArgumentParser(description="Train a regression on diamonds.")
    parser.add_argument("--epochs", type=int, default=30, help="default: %(default)s")
    parser.add_argument("--examples", type=int, help="default: all 43,152")
    parser.add_argument("--picture", type=Path, default="runs/diamonds.png")
    args = parser.parse_args()
    keras.utils.set_random_seed(0)

    data = kol.datasets.diamonds()
    x, y = data.x_train[: args.examples], data.y_train[: args.examples]

    model = network(features=x.shape[1])
    model.compile(
        # Lion moves every weight by ± the learning rate. So its rate is smaller than
        # Adam's, and its weight decay, which is multiplied by the rate, is larger.
        optimizer=kol.optimizers.Lion(
            learning_rate=kol.schedules.Warmup(kol.schedules.Cosine(1e-3), steps=100),
            weight_decay=0.1,
            decay_mask="matrices",  # leaves out the biases
        ),
        loss="mse",
    )
    model.fit(
        x,
        y,
        batch_size=BATCH_SIZE,
        epochs=args.epochs,
        validation_data=(data.x_val, data.y_val),
        callbacks=[kol.callbacks.EarlyStopping("val_loss", patience=10)],
        verbose=2,
    )

    prediction = model.predict(data.x_test, verbose=0)[:, 0]
    truth, guess = data.dollars(data.y_test), data.dollars(prediction)
    print(f"\nTest R² of the log price: {r2(data.y_test, prediction):.4f}")
    print(f"Mean absolute error: ${np.mean(np.abs(guess - truth)):.0f}")
    draw(truth, guess, args.picture)


if __name__ == "__main__":
    main()
