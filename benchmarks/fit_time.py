"""Time of a training step in `fit`: keras-optlab over Keras, and SGD as the floor.

    python benchmarks/fit_time.py
    python benchmarks/fit_time.py --models wide --optimizers adam lion

Five models train on MNIST, each with every contender in turn, round by round, in a
rotating order. The ratio to Keras' optimizer of the same name (its twin) is taken
within a round, and the median over the rounds is printed, for wall time and processor
time. `ours` is keras-optlab. `unguarded` is keras-optlab with `skip_non_finite=False`,
like Keras: with the guard, no update begins before the last gradient is known. The
first optimizer has two more contenders. `sgd` is Keras' SGD without state, which shows
the cost of a step without the optimizer. `all on` is keras-optlab with the guard,
`global_clipnorm`, three groups and statistics every 50 steps, over Keras' twin with
`global_clipnorm`.
"""

from __future__ import annotations

import argparse
import functools
import gc
import itertools
import json
import pathlib
import time

import keras
import numpy as np
import rich.console
import rich.table

import keras_optlab as kol

STEPS = 40  # per round, a multiple of the steps per execution
CLASSES = 10
layers = keras.layers


def perceptron(*widths):
    """Return the layers of a multilayer perceptron."""
    hidden = [layers.Dense(width, activation="relu") for width in widths]
    return [layers.Reshape((784,)), *hidden, layers.Dense(CLASSES)]


def convolutional():
    """Return the layers of a small convolutional network."""
    return [
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(CLASSES),
    ]


# Each entry: a function that returns the layers, and the batch size.
MODELS = {
    "mlp": (functools.partial(perceptron, 512, 512), 128),
    "mlp, batch 32": (functools.partial(perceptron, 512, 512), 32),
    "wide": (functools.partial(perceptron, 2048, 2048), 32),
    "deep": (functools.partial(perceptron, *[64] * 61), 32),
    "cnn": (convolutional, 128),
}
HEADS = "model", "steps_per_execution", "optimizer", "contender"
FIGURES = "first", "wall", "cpu", "ratio", "cpu_ratio"


def contenders(name):
    """Return a factory for each contender's optimizer, Keras' twin first."""
    create = functools.partial(kol.optimizers.create, name)
    twin = kol.optimizers.info(name).keras_twin
    bare = functools.partial(create, skip_non_finite=False)
    theirs = {"keras": getattr(keras.optimizers, twin)} if twin else {}
    return theirs | {"ours": create, "unguarded": bare}


def all_on(name):
    """Return the contenders with all features on that should cost almost no time."""
    theirs = getattr(keras.optimizers, kol.optimizers.info(name).keras_twin)

    def ours():
        rates = {"*bias": 0.5, "*dense*kernel": 0.9, "*": 1.0}
        groups = [kol.Group(glob, learning_rate=x) for glob, x in rates.items()]
        optimizer = kol.optimizers.create(name, global_clipnorm=1.0, groups=groups)
        optimizer.collect_statistics(50, who="benchmark")
        return optimizer

    return {"keras": lambda: theirs(global_clipnorm=1.0), "all on": ours}


def clocks():
    """Return the wall time and the processor time."""
    return np.array([time.perf_counter(), time.process_time()])


class Clock(keras.callbacks.Callback):
    """Timer for the steps of a `fit`, without the time before the first step."""

    start = took = None

    def on_train_batch_begin(self, batch, logs=None):  # noqa: ARG002, D102
        self.start = clocks() if self.start is None else self.start

    def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002, D102
        self.took = (clocks() - self.start) / STEPS


def timed(model, **data):
    """Return the time of a step of `fit`."""
    clock = Clock()
    model.fit(**data, verbose=0, shuffle=False, callbacks=[clock])
    return clock.took


def compiled(make, optimizer, at_once):
    """Return a compiled, untrained model."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((28, 28, 1)), *make()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(), loss, steps_per_execution=at_once)
    return model


def compare(row, make, optimizers, rounds, **data):
    """Return a row of the table for each contender; times in ms."""
    gc.collect()  # earlier models
    timed(compiled(make, keras.optimizers.SGD, row[1]), **data)  # the first is slower
    models = {k: compiled(make, o, row[1]) for k, o in optimizers.items()}
    first = {label: timed(model, **data) * STEPS for label, model in models.items()}
    times = {label: [] for label in models}
    for i in range(rounds):
        labels = list(models)
        shift = i % len(labels)
        for label in labels[shift:] + labels[:shift]:
            times[label].append(timed(models[label], **data))
    base = np.array(times.get("keras", times.get("ours")))
    rows = []
    for label, took in times.items():
        ratios = np.median(np.array(took) / base, axis=0)
        wall, cpu = 1000 * np.median(took, axis=0)
        values = *row, label, 1000 * first[label][0], wall, cpu, *ratios
        rows.append(dict(zip(HEADS + FIGURES, values, strict=True)))
    return rows


def table(rows):
    """Return the rows as a table."""
    result = rich.table.Table(box=None)
    for head in "model", "at once", "optimizer", "contender":
        result.add_column(head, no_wrap=True)
    for head in "first ms", "wall ms", "cpu ms", "/ keras", "cpu":
        result.add_column(head, justify="right", no_wrap=True)
    forms = "{first:.0f}", "{wall:.2f}", "{cpu:.2f}", "{ratio:.3f}", "{cpu_ratio:.3f}"
    for row in rows:
        texts = [str(row[head]) for head in HEADS]
        result.add_row(*texts, *(form.format(**row) for form in forms))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = {"nargs": "+", "metavar": "NAME"}
    parser.add_argument("--models", choices=MODELS, default=list(MODELS), **names)
    parser.add_argument("--optimizers", default=["adam"], **names)
    parser.add_argument("--all", action="store_true", help="all with a twin in Keras")
    parser.add_argument("--at-once", nargs="+", type=int, default=[1, 20], metavar="N")
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the rows to")
    args = parser.parse_args()

    info = kol.optimizers.info
    optimizers = args.optimizers
    if args.all:
        twins = [n for n in kol.optimizers.names() if info(n).keras_twin]
        optimizers = list(dict.fromkeys(optimizers + twins))
    (images, labels), _ = kol.datasets.mnist()
    console, rows = rich.console.Console(width=100), []
    for name, at_once, model in itertools.product(
        optimizers, args.at_once, args.models
    ):
        make, batch = MODELS[model]
        n = STEPS * batch
        x = images[:n, :, :, None].astype("float32") / 255
        data = {"x": x, "y": labels[:n], "batch_size": batch}
        sets = [contenders(name)]
        if name == optimizers[0]:
            sets[0]["sgd"] = keras.optimizers.SGD
            sets += [all_on(name)] if info(name).keras_twin else []
        for entries in sets:
            row = model, at_once, name
            now = compare(row, make, entries, args.rounds, **data)
            console.print(table(now))
            rows += now
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
