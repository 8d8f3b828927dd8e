"""`tune_execution` beside a grid by hand, on MNIST.

    python benchmarks/execution.py

The grid has every `jit_compile` with every `steps_per_execution`, each in a model of
its own, and times an epoch of `fit` after a first one, round by round; the figure is
the median over the rounds. `chosen / best` is the grid's time of what `tune_execution`
chose, over that of the grid's best, within a round; the median over the rounds. The
last figure is its range: where that includes 1, the two cannot be told apart.
"""

import argparse
import time

import keras
import numpy as np
from fit_time import MODELS, compiled

import keras_optlab as kol

AT_ONCE = 1, 4, 8, 16, 32
STEPS = {"mlp": 448, "cnn": 64}  # of an epoch of the grid
MOST = 2.0  # times slower than the best after one epoch: not timed again


def epoch(model, **data):
    """Return the seconds of the second epoch of a `fit`."""
    times = []
    ends = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: times.append(time.perf_counter()),
        on_epoch_end=lambda *_: times.append(time.perf_counter()),
    )
    model.fit(**data, epochs=2, verbose=0, callbacks=[ends])
    return times[3] - times[2]


def grid(make, steps, rounds, **data):
    """Return the seconds of a step in each round, by `(jit_compile, at_once)`."""
    n = steps * data["batch_size"]
    part = {**data, "x": data["x"][:n], "y": data["y"][:n]}
    jits = (True, False) if keras.backend.backend() == "jax" else (False, True)
    at_once = (1,) if keras.backend.backend() == "torch" else AT_ONCE
    models, times = {}, {}
    for jit in jits:
        for count in at_once:
            if not jit and jits[0] and count > 1:
                continue  # JAX without compilation
            model = compiled(make, keras.optimizers.Adam, count)
            model.jit_compile = jit
            few = part if jit or not jits[0] else {**part, "steps_per_epoch": 2}
            took = epoch(model, **few) / few.get("steps_per_epoch", steps)
            times[jit, count] = [took]
            if took <= MOST * min(min(row) for row in times.values()):
                models[jit, count] = model
    for _ in range(rounds - 1):
        for key, model in models.items():
            times[key].append(epoch(model, **part) / steps)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=60, help="of tune_execution")
    args = parser.parse_args()
    (images, labels), _ = kol.datasets.mnist()
    x = images[..., None].astype("float32") / 255
    for name in args.models:
        make, batch = MODELS[name]
        data = {"x": x, "y": labels, "batch_size": batch}
        model = compiled(make, keras.optimizers.Adam, 1)
        tuned = kol.tune_execution(model, **data, seconds=args.seconds)
        print(f"\n{name}: tune_execution, {tuned.seconds:.0f} s\n{tuned.table()}")
        start = time.perf_counter()
        times = grid(make, STEPS[name], args.rounds, **data)
        print(f"\n{name}: grid by hand, {time.perf_counter() - start:.0f} s")
        medians = {key: float(np.median(row)) for key, row in times.items()}
        best = min(medians, key=medians.__getitem__)
        for key, step in sorted(medians.items()):
            mark = "best" if key == best else ""
            print(f"{key[0]!s:>11}{key[1]:>5}{1000 * step:10.3f} ms/step  {mark}")
        chosen = tuned.jit_compile, tuned.steps_per_execution
        pairs = zip(times[chosen], times[best], strict=False)
        ratios = sorted(one / other for one, other in pairs)
        low, middle, high = ratios[0], np.median(ratios), ratios[-1]
        print(f"chosen / best: {middle:.3f} ({low:.3f} to {high:.3f})", flush=True)


if __name__ == "__main__":
    main()
