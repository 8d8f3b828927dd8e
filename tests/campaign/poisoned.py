"""Trainings with poisoned batches, with and without `SpikeGuard`.

    python -m tests.campaign.poisoned --seeds 3

An MLP trains on MNIST. In five batches at random places the labels are permuted, the
inputs are multiplied by 1e6, or one input in ten is NaN; each kind occurs. For each
optimizer and seed the table shows the test accuracy, in percent, of the clean run, and
of the poisoned run without and with `SpikeGuard`, and what the guard has counted.

Exits with 1 unless every guarded run ends within 0.2 of the clean run, and every
unguarded run ends more than 0.2 below it.
"""

import argparse
import functools
import sys
import time

import keras
import numpy as np

import keras_optlab as kol

BATCH = 128
WITHIN = 0.2  # percent of the test images
Cosine, KerasCosine = (
    kol.schedules.Cosine,
    keras.optimizers.schedules.CosineDecay,
)

# Each entry: the optimizer, given the number of steps; and arguments of the guard.
OPTIMIZERS = {
    "Adam": (lambda _: kol.optimizers.Adam(Cosine(2e-3)), {}),
    "SGD": (lambda _: kol.optimizers.SGD(Cosine(0.1), momentum=0.9), {}),
    "ScheduleFreeAdamW": (lambda _: kol.optimizers.ScheduleFreeAdamW(3e-3), {}),
    "Keras' Adam": (
        lambda steps: keras.optimizers.Adam(KerasCosine(2e-3, steps)),
        {"rate_factor": 1.0},
    ),
    "Keras' SGD": (
        lambda steps: keras.optimizers.SGD(KerasCosine(0.1, steps), momentum=0.9),
        {"rate_factor": 1.0},
    ),
}


def permuted_labels(x, y, random):
    return x, random.permutation(y)


def large_inputs(x, y, random):  # noqa: ARG001
    return x * np.float32(1e6), y


def missing_inputs(x, y, random):
    return np.where(random.random(x.shape) < 0.1, np.float32(np.nan), x), y


KINDS = permuted_labels, large_inputs, missing_inputs


class Batches(keras.utils.PyDataset):
    """Batches of arrays in a random order, some of them poisoned.

    Args:
        x: Inputs.
        y: Labels.
        epochs: How often all data come.
        seed: Of the order, and of the places and kinds.
        poisoned: Number of poisoned batches.
    """

    def __init__(self, x, y, epochs, seed, poisoned):
        super().__init__()
        random = np.random.default_rng(seed)
        self.x, self.y, self.seed = x, y, seed
        rows = len(x) // BATCH * BATCH
        orders = [random.permutation(len(x))[:rows] for _ in range(epochs)]
        self.order = np.concatenate(orders).reshape(-1, BATCH)
        places = random.choice(np.arange(1, len(self.order)), 5, replace=False)
        kinds = random.permutation(np.arange(5) % 3)
        self.poison = {
            int(at): KINDS[kind]
            for at, kind in zip(places[:poisoned], kinds, strict=False)
        }

    def __len__(self):
        return len(self.order)

    def __getitem__(self, i):
        x, y = self.x[self.order[i]], self.y[self.order[i]]
        random = np.random.default_rng((self.seed, i))
        return self.poison[i](x, y, random) if i in self.poison else (x, y)


def network():
    dense = functools.partial(keras.layers.Dense, activation="relu")
    layers = [keras.Input((784,)), dense(128), dense(128), keras.layers.Dense(10)]
    return keras.Sequential(layers)


def accuracy(name, data, test, guard=None, seed=0):
    """Return the test accuracy after a training, in percent."""
    keras.utils.set_random_seed(seed)
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(OPTIMIZERS[name][0](len(data)), loss, metrics=["accuracy"])
    callbacks = [] if guard is None else [guard]
    model.fit(data, shuffle=False, verbose=0, callbacks=callbacks)
    return 100 * model.evaluate(*test, batch_size=1000, verbose=0)[1]


def compare(name, train, test, epochs, seed, verbose=0):
    """Return the accuracies: clean, without and with the guard; and the guard."""

    def batches(poisoned):
        return Batches(*train, epochs, seed, poisoned)

    guard = kol.callbacks.SpikeGuard(verbose=verbose, **OPTIMIZERS[name][1])
    clean = accuracy(name, batches(0), test, seed=seed)
    without = accuracy(name, batches(5), test, seed=seed)
    return clean, without, accuracy(name, batches(5), test, guard, seed), guard


def mnist():
    """Return MNIST for training and for tests, scaled to [0, 1]."""
    return [
        (x.reshape(-1, 784).astype("float32") / 255, y.astype("int32"))
        for x, y in kol.datasets.mnist()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--optimizers", nargs="*", default=list(OPTIMIZERS))
    parser.add_argument("--verbose", action="store_true", help="print accidents")
    args = parser.parse_args()
    train, test = mnist()
    print(f"{'':18} seed  clean without   with  accidents skipped undone  [s]")
    missed = 0
    for name in args.optimizers:
        for seed in range(args.seeds):
            start = time.perf_counter()
            *figures, guard = compare(
                name, train, test, args.epochs, seed, int(args.verbose)
            )
            clean, without, guarded = figures
            missed += not clean - guarded <= WITHIN < clean - without
            counts = [guard.counts[k] for k in ("accidents", "skipped", "undone")]
            print(
                f"{name:18} {seed:4} {clean:6.2f} {without:7.2f} {guarded:6.2f} "
                f"{counts[0]:10} {counts[1]:7} {counts[2]:6} "
                f"{time.perf_counter() - start:4.0f}",
                flush=True,
            )
    print(f"{missed} of {len(args.optimizers) * args.seeds} miss the goal")
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
