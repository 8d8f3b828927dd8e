"""Time of `train_on_batch` in a loop: rules with two sets of weights over plain rules.

    python benchmarks/loop_time.py --rounds 9

In a custom loop, for example for a GAN or reinforcement learning, `EMA`, `SWA` and
schedule-free rules switch to their training weights before each step and back to the
evaluation weights after it. A small network trains with each contender in turn, round
by round, in a rotating order. The ratios are taken within a round, and their medians
printed. A second table shows the time of an epoch of `fit` with validation, which also
switches the weights.
"""

import argparse
import time

import keras
import numpy as np

import keras_optlab as kol

STEPS = 25  # per round
AdamW = kol.optimizers.AdamW
BatchNormalization = keras.layers.BatchNormalization
CONTENDERS = {
    "Keras' AdamW": keras.optimizers.AdamW,
    "AdamW": AdamW,
    "EMA of AdamW": lambda: kol.optimizers.EMA(AdamW()),
    "SWA of AdamW": lambda: kol.optimizers.SWA(AdamW()),
    "ScheduleFreeAdamW": kol.optimizers.ScheduleFreeAdamW,
    "AdamW, for the noise": AdamW,
}
X, Y = np.ones((32, 8), "float32"), np.ones((32, 4), "float32")


def network(optimizer, normalize=False):
    """Return a compiled model of five dense layers, with batch normalization or not."""
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(16, activation="relu") for _ in range(4)]
    if normalize:
        hidden = [x for layer in hidden for x in (layer, BatchNormalization())]
    model = keras.Sequential([keras.Input((8,)), *hidden, keras.layers.Dense(4)])
    model.compile(optimizer, "mse")
    return model


def timed_steps(model):
    """Return the median time of a step in a round, in ms."""
    took = []
    for _ in range(STEPS):
        start = time.perf_counter()
        model.train_on_batch(X, Y)
        took.append(time.perf_counter() - start)
    return 1000 * np.median(took)


def timed_epoch(model):
    """Return the time of an epoch of one batch with validation, in ms."""
    ends = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: ends.append(time.perf_counter())
    )
    data = {"validation_data": (X, Y), "verbose": 0, "callbacks": [clock]}
    model.fit(X, Y, epochs=6, **data)
    return 1000 * np.median(np.diff(ends))


def compare(timed, rounds, normalize):
    """Return each contender's medians: over Keras' AdamW, over `AdamW`, and ms."""
    models = {name: network(make(), normalize) for name, make in CONTENDERS.items()}
    for model in models.values():
        timed(model)  # traces
    times = {name: [] for name in models}
    for turn in range(rounds):
        names = list(models)
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            times[name].append(timed(models[name]))
    times = {name: np.array(took) for name, took in times.items()}
    return {
        name: [np.median(took / times[base]) for base in ("Keras' AdamW", "AdamW")]
        + [np.median(took)]
        for name, took in times.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    parser.add_argument("--normalize", action="store_true", help="batch normalization")
    args = parser.parse_args()
    for title, timed in (
        ("train_on_batch", timed_steps),
        ("epoch with validation", timed_epoch),
    ):
        print(f"\n{title:22}{'/ Keras':>9}{'/ ours':>9}{'ms':>9}")
        results = compare(timed, args.rounds, args.normalize)
        for name, (keras_, ours, ms) in results.items():
            print(f"{name:22}{keras_:9.2f}{ours:9.2f}{ms:9.2f}", flush=True)


if __name__ == "__main__":
    main()
