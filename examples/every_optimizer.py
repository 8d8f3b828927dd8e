"""Train a small CNN on MNIST for an epoch with every optimizer of the package.

    python examples/every_optimizer.py
    python examples/every_optimizer.py adam muon sam --examples 12800

Each starts from the same weights, sees the same batches, and uses its default learning
rate with cosine decay to 0. Wrappers wrap Adam. Nothing is tuned, so the accuracies are
no ranking: the table shows that each optimizer trains, how long it takes, and the size
of its state. Set KERAS_BACKEND to tensorflow (the default), jax or torch.
"""

import argparse
import time

import keras
import numpy as np
from keras import layers

import keras_optlab as kol

BATCH_SIZE = 128


def network():
    """Return two convolutions and a linear head: 10,000 weights, fast on a CPU."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, 3, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(32, 3, 2, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(10),
        ]
    )


CONSTANT_RATE = {"conditionalgradient", "fromage", "ftrl", "proximalsgd"}


def make(name, steps):
    """Return an optimizer with cosine decay of its default rate; wrappers wrap Adam."""
    if name in kol.optimizers.wrappers():
        return kol.optimizers.create(name, optimizer=make("adam", steps))
    about = kol.optimizers.info(name)
    rate = about.hyperparameters["learning_rate"].default
    falling = kol.schedules.Cosine(rate, steps=steps)
    # the weights of these rules depend directly on the rate, so it stays constant
    rate = rate if name in CONSTANT_RATE else falling
    return kol.optimizers.create(name, learning_rate=rate)


def state_bytes(optimizer):
    """Return the size of an optimizer's state in bytes."""
    return sum(
        int(np.prod(v.shape)) * np.dtype(v.dtype).itemsize for v in optimizer.variables
    )


def train(name, data, test):
    """Train with one optimizer; return loss, accuracy, seconds, bytes per weight."""
    x, y = data
    model = network()
    steps = -(-len(x) // BATCH_SIZE)
    model.compile(
        optimizer=make(name, steps),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    begin = time.perf_counter()
    history = model.fit(x, y, batch_size=BATCH_SIZE, verbose=0, shuffle=False)
    seconds = time.perf_counter() - begin
    _, accuracy = model.evaluate(*test, batch_size=1000, verbose=0)
    weights = sum(int(np.prod(w.shape)) for w in model.trainable_variables)
    per_weight = state_bytes(model.optimizer) / weights
    return history.history["loss"][0], 100 * accuracy, seconds, per_weight


def main():
    every = [*kol.optimizers.names(), *kol.optimizers.wrappers()]
    parser = argparse.ArgumentParser(description="Train a small CNN with each.")
    parser.add_argument("names", nargs="*", default=every, help="default: all")
    parser.add_argument("--examples", type=int, help="per set; default: all")
    args = parser.parse_args()
    sets = kol.datasets.mnist()
    data, test = (
        (x[: args.examples, ..., None] / np.float32(255), y[: args.examples])
        for x, y in sets
    )
    print(f"{'optimizer':20} {'loss':>7} {'test %':>7} {'seconds':>8} {'bytes':>6}")
    for name in args.names:
        loss, accuracy, seconds, size = train(name, data, test)
        row = f"{loss:7.3f} {accuracy:7.2f} {seconds:8.1f} {size:6.1f}"
        print(f"{name:20} {row}", flush=True)


if __name__ == "__main__":
    main()
