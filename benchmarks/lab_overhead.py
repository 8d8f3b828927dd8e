"""What the lab adds to a trial: a study of `mnist-logreg`, and its trainings by hand.

    python benchmarks/lab_overhead.py

The study trains in a process of its own, with as many threads as this one. By hand:
`compile`, `fit` and the same evaluations. Rounds alternate; the medians are printed.
"""

import argparse
import statistics
import tempfile
import time

import keras

import keras_optlab as kol
from keras_optlab import lab
from keras_optlab.lab.engines import Processes
from keras_optlab.lab.problems import find

PROBLEM, EPOCHS = "mnist-logreg", 1
EVALUATIONS = 3  # of a trial of a search: a fourth, half, and all of it


def study(engine, trials, seed):
    """Return the seconds of a trial of a study."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        lab.compare(
            PROBLEM,
            ["adam(beta_1=0.9)"],
            trials=trials - 1,
            seeds=1,
            epochs=EPOCHS,
            objective="final",
            folder=folder,
            engine=engine,
            seed=seed,
        )
        return (time.perf_counter() - begun) / trials


def by_hand(trials, seed):
    """Return the seconds of the same training without the lab."""
    problem = find(PROBLEM)
    data, updates = problem.splits, int(EPOCHS * problem.updates_per_epoch)
    begun = time.perf_counter()
    for number in range(trials):
        keras.utils.set_random_seed(seed + number)
        model = problem.model()
        rate = kol.schedules.OneCycle(1e-3, steps=updates)
        optimizer = kol.optimizers.Adam(rate)
        model.compile(optimizer, problem.loss, metrics=["accuracy"])
        model.fit(*data.train, batch_size=problem.batch_size, epochs=EPOCHS, verbose=0)
        for _ in range(EVALUATIONS):
            model.evaluate(*data.validation, batch_size=1000, verbose=0)
    return (time.perf_counter() - begun) / trials


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    args = parser.parse_args()
    engine = Processes(workers=1)
    study(engine, 2, seed=0), by_hand(1, seed=0)  # imports and data
    differences = []
    for round in range(args.rounds):
        with_lab = study(engine, args.trials, seed=round * args.trials)
        without = by_hand(args.trials, seed=round * args.trials)
        differences.append(with_lab - without)
        print(f"study {with_lab:.2f} s a trial, by hand {without:.2f} s", flush=True)
    print(f"overhead of a trial: {statistics.median(differences):.2f} s")


if __name__ == "__main__":
    main()
