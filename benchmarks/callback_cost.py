"""Cost of callbacks: the time of `fit` with each callback over a bare `fit`.

    python benchmarks/callback_cost.py --rounds 7

An MLP trains on MNIST with and without callbacks, round by round, in a rotating order.
Each fit starts from a new model, because memory placement changes the time of a step by
some percent. A round's times are divided by the mean of its two bare fits. The table
shows the median over the rounds, for wall time and processor time. Next to it is the
same ratio for the fastest fits of all rounds, which a busy machine disturbs less, since
it can only slow a fit down. `off` is one of the two bare fits, so its distance from 1
is the noise. `naive` is a simple callback: after every batch it copies all weights to
the host and computes the norms of the weights and of their changes.

`cosine / 50` and `signals / 500` are `GradientSignals`, with the cosine of consecutive
gradients alone and with all of its figures, measured on 512 examples.

`spanning schedule` is a `fit` without callbacks. Its rate follows `Cosine(1e-3)`.

`Validate / 50` is the cost of `Validate` beyond the evaluations: the time of as many
evaluations of the same batches, after the fit, is subtracted.

`QKClip` trains the transformer of the problem `char-gpt`, in a table of its own.

Last come two times: of `refresh_normalization`, which `fit` runs for averages such as
`SWA` before each validation and at its end (100 forward passes of the MLP with batch
normalization); and of a checkpoint of `Resume` for 10 million weights.
"""

import argparse
import functools
import gc
import tempfile
import time

import keras
import numpy as np

import keras_optlab as kol
from keras_optlab.engine.backend.trainer_adapter import (
    evaluate_batches,
    evaluation_batches,
)
from keras_optlab.lab.problems import char_gpt

TensorBoard = kol.callbacks.TensorBoard
GradientSignals = kol.callbacks.GradientSignals


def naive():
    """Return a callback that computes norms on the host after every batch."""
    norms, before = [], []

    def measure(batch, logs):  # noqa: ARG001
        now = callback.model.get_weights()
        pairs = zip(now, before or now, strict=True)
        norms.append([(np.linalg.norm(w), np.linalg.norm(w - v)) for w, v in pairs])
        before[:] = now

    callback = keras.callbacks.LambdaCallback(on_train_batch_end=measure)
    return callback


RANDOM = np.random.default_rng(0)
VALIDATION = RANDOM.random((1024, 784), "float32"), RANDOM.integers(0, 10, 1024)

# Each entry: the callbacks of a fit, given a directory for their files.
CALLBACKS = {
    "bare": lambda _: [],
    "off": lambda _: [],
    "scalars / 50": lambda path: [TensorBoard(path, every=50)],
    "statistics / 1": lambda path: [TensorBoard(path, every=50, statistics_every=1)],
    "histograms / 500": lambda path: [
        TensorBoard(path, every=50, histograms_every=500)
    ],
    "cosine / 50": lambda _: [GradientSignals(50, signals=["gradient_cosine"])],
    "signals / 500": lambda _: [GradientSignals(500)],
    "Monitor / 50": lambda _: [kol.callbacks.Monitor(every=50)],
    "Validate / 50": lambda _: [kol.callbacks.Validate(50, VALIDATION, batch_size=128)],
    "SpikeGuard": lambda _: [kol.callbacks.SpikeGuard(verbose=0)],
    "spanning schedule": lambda _: [],
    "naive / 1": lambda _: [naive()],
    "QKClip": lambda _: [kol.callbacks.QKClip()],
}
OF_TRANSFORMERS = ["QKClip"]

WARM_UP = 64  # untimed steps, so that step 500 is one of the timed steps


def network(steps_per_execution, rate=1e-3):
    """Return the MLP, compiled."""
    keras.utils.set_random_seed(0)
    dense = functools.partial(keras.layers.Dense, activation="relu")
    layers = [keras.Input((784,)), dense(512), dense(512), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = kol.optimizers.Adam(rate)
    model.compile(optimizer, loss, steps_per_execution=steps_per_execution)
    return model


def transformer(rate):
    """Return the model of `char-gpt`, compiled."""
    keras.utils.set_random_seed(0)
    model = char_gpt.model()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(kol.optimizers.AdamW(rate), loss)
    return model


def timed_refresh(rounds, x, batch):
    """Return the median time of a refresh of normalization statistics, in ms."""
    norm = keras.layers.BatchNormalization
    dense = functools.partial(keras.layers.Dense, 512, activation="relu")
    layers = [keras.Input((784,)), dense(), norm(), dense(), norm()]
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    model.compile(kol.optimizers.Adam(), "mse")
    took = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        kol.refresh_normalization(model, x, steps=100, batch_size=batch)
        took.append(time.perf_counter() - start)
    return 1000 * np.median(took[1:])  # the first one compiles


def timed_checkpoints(rounds):
    """Return the median time, in seconds, of a checkpoint of 10 million weights."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1000,)), keras.layers.Dense(10_000)])
    model.compile(kol.optimizers.Adam(), "mse")
    x, y = np.zeros((1, 1000), "float32"), np.zeros((1, 10_000), "float32")
    ends, begins = [], []
    around = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: begins.append(time.perf_counter()),
        on_epoch_end=lambda *_: ends.append(time.perf_counter()),
    )
    with tempfile.TemporaryDirectory() as directory:
        resume = kol.callbacks.Resume(directory)
        model.fit(x, y, epochs=rounds + 1, verbose=0, callbacks=[resume, around])
    return np.median(np.subtract(begins[1:], ends[:-1]))


def clocks():
    """Return the wall time and the processor time."""
    return np.array([time.perf_counter(), time.process_time()])


def timed_fit(name, make, **data):
    """Return the time of a `fit`, without tracing, until its last callback has ended.

    The rest of `fit` is left out: on TensorFlow, tearing down the data pipeline takes
    up to some seconds at random.
    """
    rates = {"spanning schedule": kol.schedules.Cosine(1e-3)}
    model, ends = make(rates.get(name, 1e-3)), []
    last = keras.callbacks.LambdaCallback(on_train_end=lambda _: ends.append(clocks()))
    batch = data["batch_size"]
    few = WARM_UP * batch + len(data["x"]) % batch  # with a last batch of the same size
    traced = {**data, "x": data["x"][:few], "y": data["y"][:few]}
    for arguments in traced, data:
        with tempfile.TemporaryDirectory() as directory:
            callbacks = [*CALLBACKS[name](directory), last]
            gc.collect()  # graphs of earlier models
            start = clocks()
            model.fit(**arguments, callbacks=callbacks, verbose=0)
    return ends[-1] - start - evaluations_alone(model, callbacks, data)


def evaluations_alone(model, callbacks, data):
    """Return the time of the evaluations of a `Validate` in the last `fit`."""
    validate = [c for c in callbacks if isinstance(c, kol.callbacks.Validate)]
    if not validate:
        return 0
    before = WARM_UP + 1 if len(data["x"]) % data["batch_size"] else WARM_UP
    times = sum(step > before for step in validate[0].history["step"])
    batches = evaluation_batches(model, (*VALIDATION, None), 128, None)
    start = clocks()
    for _ in range(times):
        evaluate_batches(model, batches)
    return clocks() - start


def print_ratios(title, names, make, rounds, **data):
    """Print each entry's ratios to the bare fit, and the time of a bare fit.

    Args:
        title: What is trained.
        names: Entries of `CALLBACKS`.
        make: Function of the rate that returns a model.
        rounds: Number of fits of each entry.
        data: Arguments of `fit`.
    """
    names = ["bare", "off", *names]
    times = {name: [] for name in names}
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            times[name].append(timed_fit(name, make, **data))
    times = {name: np.array(took) for name, took in times.items()}
    bare = (times["bare"] + times["off"]) / 2
    fastest = (times["bare"].min(axis=0) + times["off"].min(axis=0)) / 2
    wall, cpu = 1000 * fastest / -(-len(data["x"]) // data["batch_size"])
    print(f"\n{title}: {wall:.2f} ms a step, bare; cpu {cpu:.2f}")
    print(f"{'':18}{'median':>14}{'fastest':>14}")
    print(f"{'':18}" + f"{'time':>7}{'cpu':>7}" * 2)
    for name, took in times.items():
        figures = (*np.median(took / bare, axis=0), *took.min(axis=0) / fastest)
        print(f"{name:18}" + "".join(f"{x:7.3f}" for x in figures), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    names = [name for name in CALLBACKS if name not in ("bare", "off")]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--batch", type=int, default=128, help="default: %(default)s")
    args = parser.parse_args()
    (x, y), _ = kol.datasets.mnist()
    x = x.reshape(-1, 784).astype("float32") / 255
    of_transformers = [n for n in OF_TRANSFORMERS if n in args.only]
    names = [n for n in args.only if n not in of_transformers]
    at_once = (1,) if keras.backend.backend() == "torch" else (1, 32)
    for n in at_once if names else ():
        print_ratios(
            f"steps_per_execution {n}",
            names,
            functools.partial(network, n),
            args.rounds,
            x=x,
            y=y,
            batch_size=args.batch,
        )
    if of_transformers:
        texts, following = char_gpt.characters()[0].train
        print_ratios(
            "char-gpt",
            of_transformers,
            transformer,
            args.rounds,
            x=texts[: 32 * WARM_UP],
            y=following[: 32 * WARM_UP],
            batch_size=32,
        )
    refresh = timed_refresh(args.rounds, x, args.batch)
    print(f"\nrefresh_normalization, 100 batches: {refresh:.0f} ms")
    seconds = timed_checkpoints(args.rounds)
    print(
        f"Resume, 10 million weights with Adam: {seconds:.2f} s a checkpoint, "
        f"{1 + seconds / 60:.3f} of an epoch of a minute"
    )


if __name__ == "__main__":
    main()
