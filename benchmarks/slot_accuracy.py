"""Accuracy with optimizer state in 8 or 16 bits instead of float32.

    python benchmarks/slot_accuracy.py --optimizers adam rmsprop
    python benchmarks/slot_accuracy.py --problems mnist-cnn char-gpt --updates 1000

Each optimizer trains the model of each problem from the same weights, on the same
batches, with its slots in float32, in bfloat16 with stochastic rounding, in 8 bits
(`slot_dtype="int8"`), and for comparison in bfloat16 with rounding to nearest. The
table shows the mean and the standard deviation over the seeds, on the test data.
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
from keras_optlab.lab.problems.lookup import find

NEAREST = "bfloat16, nearest"
STATES = {"float32": None, "bfloat16": "bfloat16", NEAREST: "bfloat16", "int8": "int8"}


def nearest(x, salt):  # noqa: ARG001
    """Round to nearest, as a cast does."""
    return ops.cast(x, "bfloat16")


def trained(problem, name, rate, seed, slot_dtype, updates):
    """Train; return the loss and the accuracy on the test data."""
    keras.utils.set_random_seed(seed)
    model, data = problem.model(), problem.splits
    rates = {} if rate is None else {"learning_rate": rate}
    optimizer = kol.optimizers.create(name, slot_dtype=slot_dtype, **rates)
    model.compile(optimizer, problem.loss, metrics=["accuracy"])
    x, y = data.train
    size, left = problem.batch_size, updates or problem.updates
    while left > 0:
        rows = min(len(x), left * size)
        model.fit(x[:rows], y[:rows], batch_size=size, verbose=0)
        left -= -(-rows // size)
    return model.evaluate(*data.test, verbose=0)


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--problems", nargs="+", default=["mnist-mlp"])
    parser.add_argument("--optimizers", nargs="+", default=["adam", "rmsprop"])
    parser.add_argument("--states", nargs="+", choices=STATES, default=list(STATES))
    parser.add_argument("--rate", type=float, help="default: the optimizer's own")
    parser.add_argument("--updates", type=int, help="default: the problem's own")
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    args = parser.parse_args()
    columns = "problem", "optimizer", "state", "test loss", "test accuracy"
    table = rich.table.Table(*columns, box=None)
    for problem in args.problems:
        found = find(problem)
        for name in args.optimizers:
            for state in args.states:
                stochastic = weight_update.round_to_bfloat16
                rounding = nearest if state == NEAREST else stochastic
                patch = unittest.mock.patch.object
                with patch(weight_update, "round_to_bfloat16", rounding):
                    runs = [
                        trained(found, name, args.rate, i, STATES[state], args.updates)
                        for i in range(args.seeds)
                    ]
                loss, accuracy = np.transpose(runs)
                table.add_row(
                    *(problem, name, state),
                    f"{loss.mean():.4f} ± {loss.std():.4f}",
                    f"{accuracy.mean():.4f} ± {accuracy.std():.4f}",
                )
    rich.console.Console(width=100).print(table)


if __name__ == "__main__":
    main()
