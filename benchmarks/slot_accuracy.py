"""Accuracy with optimizer state in bfloat16 instead of float32: an MLP on MNIST.

    python benchmarks/slot_accuracy.py --optimizers adam rmsprop

Each optimizer trains an MLP from the same weights, on the same batches, with its slots
in float32, in bfloat16 with stochastic rounding (`slot_dtype="bfloat16"`), and for
comparison in bfloat16 with rounding to nearest. The table shows the mean and the
standard deviation over the seeds.
"""

from __future__ import annotations

import argparse
import unittest.mock

import keras
import numpy as np
import rich.console
import rich.table
from keras import ops

import keras_optlab as kol
from keras_optlab.engine.weights import weight_update


def nearest(x, salt):  # noqa: ARG001
    """Round to nearest, as a cast does."""
    return ops.cast(x, "bfloat16")


def trained(name, seed, slot_dtype, epochs):
    """Train; return the last loss, and the accuracy on the test images."""
    keras.utils.set_random_seed(seed)
    (x, y), (x_test, y_test) = kol.datasets.mnist()
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((784,)),
            dense(256, activation="relu"),
            dense(256, activation="relu"),
            dense(10),
        ]
    )
    model.compile(
        kol.optimizers.create(name, slot_dtype=slot_dtype),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    x, x_test = (images.reshape(-1, 784) / 255.0 for images in (x, x_test))
    history = model.fit(x, y, batch_size=128, epochs=epochs, verbose=0).history
    return history["loss"][-1], model.evaluate(x_test, y_test, verbose=0)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizers", nargs="+", default=["adam", "rmsprop"])
    parser.add_argument("--epochs", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    args = parser.parse_args()
    table = rich.table.Table("optimizer", "state", "loss", "test accuracy", box=None)
    for name in args.optimizers:
        for label, dtype, rounding in (
            ("float32", None, weight_update.round_to_bfloat16),
            ("bfloat16", "bfloat16", weight_update.round_to_bfloat16),
            ("bfloat16, nearest", "bfloat16", nearest),
        ):
            patch = unittest.mock.patch.object
            with patch(weight_update, "round_to_bfloat16", rounding):
                runs = [trained(name, i, dtype, args.epochs) for i in range(args.seeds)]
            loss, accuracy = np.transpose(runs)
            table.add_row(
                name,
                label,
                f"{loss.mean():.4f} ± {loss.std():.4f}",
                f"{accuracy.mean():.4f} ± {accuracy.std():.4f}",
            )
    rich.console.Console(width=100).print(table)


if __name__ == "__main__":
    main()
