"""Time of a training step in `fit`: ours, Keras' twin, and SGD without state as floor.

    python benchmarks/fit_time.py --optimizer adam --rounds 7

The models train in turn, round by round, and medians are compared, since a machine that
is shared speeds up and slows down. Absolute times are of that machine only; the ratios
are what to read.
"""

import argparse
import statistics
import time

import keras
import numpy as np

import keras_optlab as kol

STEPS = 100


def trained(optimizer, width, x, y):
    """Return a network that has been compiled and run once."""
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    hidden = [dense(width, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input(x.shape[1:]), *hidden, dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    model.fit(x, y, batch_size=len(x) // STEPS, verbose=0)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizer", default="adam", help="default: %(default)s")
    parser.add_argument("--width", type=int, default=512, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=128, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    x = rng.random((STEPS * args.batch, 784), "float32")
    y = rng.integers(0, 10, len(x))
    twin = kol.optimizers.info(args.optimizer).keras_twin
    entries = {"ours": kol.optimizers.create(args.optimizer)}
    if twin:
        entries["keras"] = getattr(keras.optimizers, twin)()
    entries["sgd (keras)"] = keras.optimizers.SGD()
    models = {k: trained(o, args.width, x, y) for k, o in entries.items()}

    seconds = {name: [] for name in models}
    for _ in range(args.rounds):
        for name, model in models.items():
            start = time.perf_counter()
            model.fit(x, y, batch_size=args.batch, verbose=0)
            seconds[name].append(time.perf_counter() - start)

    medians = {k: 1000 * statistics.median(v) / STEPS for k, v in seconds.items()}
    print(f"{args.optimizer}, {keras.backend.backend()}, width {args.width}")
    for name, median in medians.items():
        ratio = median / medians.get("keras", medians["ours"])
        print(f"{name:12} {median:8.2f} ms a step   {ratio:.2f}")


if __name__ == "__main__":
    main()
