"""The ranges of `find_rate` beside a grid of trainings at constant rates.

    python benchmarks/rate_finder.py --grid grid.json

For SGD, Adam, Lion and Muon on two examples: the convolutional network of
`examples/mnist.py` and the regression of `examples/diamonds.py`. The grid has ten
rates, each twice the one before. A network trains for one epoch at each rate, from
three seeds; the two other seeds are left out where the first loss is more than twice
the best one. The table compares the range that `find_rate` gives with the good rates:
those whose mean loss on the validation data is within one standard deviation of the
best. The grid takes most of the time. It is kept in the file, so that a second run only
repeats the searches.
"""

import argparse
import importlib.util
import json
import math
import time
from pathlib import Path

import keras
import numpy as np

import keras_optlab as kol

EXAMPLES = Path(__file__).parents[1] / "examples"
SEEDS = 3
GRID = 2.0 ** np.arange(10)
OPTIMIZERS = ["SGD", "Adam", "Lion", "Muon"]
LOWEST = {  # the first rate of each grid
    ("mnist", "SGD"): 0.01,
    ("mnist", "Adam"): 1e-4,
    ("mnist", "Lion"): 2e-5,
    ("mnist", "Muon"): 2.5e-4,
    ("diamonds", "SGD"): 0.002,
    ("diamonds", "Adam"): 1e-4,
    ("diamonds", "Lion"): 2e-5,
    ("diamonds", "Muon"): 2.5e-4,
}


def example(name):
    """Return the module of an example."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def problem(name):
    """Return training data, validation data, batch size, and a maker of the model."""
    module = example(name)
    if name == "mnist":
        (x, y), _ = kol.datasets.mnist()
        split = len(x) * 9 // 10
        data = (x[:split], y[:split]), (x[split:], y[split:])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return *data, module.BATCH_SIZE, module.network, loss
    d = kol.datasets.diamonds()
    data = (d.x_train, d.y_train), (d.x_val, d.y_val)
    features = d.x_train.shape[1]
    return *data, module.BATCH_SIZE, lambda: module.network(features), "mse"


def compiled(network, loss, optimizer, rate, seed):
    """Return a new model."""
    keras.utils.set_random_seed(seed)
    model = network()
    model.compile(getattr(kol.optimizers, optimizer)(rate), loss)
    return model


def final_loss(case, optimizer, rate, seed):
    """Return the loss on validation data after one epoch at a constant rate."""
    train, val, batch, network, loss = case
    model = compiled(network, loss, optimizer, rate, seed)
    model.fit(*train, batch_size=batch, verbose=0)
    value = model.evaluate(*val, batch_size=1000, verbose=0)
    keras.utils.clear_session()
    return value if math.isfinite(value) else math.inf


def grid(case, optimizer, rates, known, save):
    """Return each rate's losses; `known` has those of an earlier run."""
    for seed in range(SEEDS):
        first = [known.get(f"{r:g}", [math.inf])[0] for r in rates]
        for i, rate in enumerate(rates):
            losses = known.setdefault(f"{rate:g}", [])
            if len(losses) > seed or (seed and first[i] > 2 * min(first)):
                continue
            losses.append(final_loss(case, optimizer, rate, seed))
            save()
    return {r: known[f"{r:g}"] for r in rates}


def searched(case, optimizer):
    """Return what `find_rate` finds, and its seconds."""
    train, _, batch, network, loss = case
    model = compiled(network, loss, optimizer, 1e-3, seed=0)
    start = time.perf_counter()
    result = kol.find_rate(model, *train, batch_size=batch)
    return result, time.perf_counter() - start


def report(name, optimizer, losses, result, seconds):
    """Print one line of the table."""
    full = {r: x for r, x in losses.items() if len(x) == SEEDS}
    best = min(full, key=lambda r: np.mean(full[r]))
    limit = np.mean(full[best]) + np.std(full[best])
    good = [r for r, x in full.items() if np.mean(x) <= limit]
    holds = any(result.low <= r <= result.high for r in good)
    print(
        f"{name:9}{optimizer:6}{result.low:9.2g} to {result.high:<9.2g}"
        f"{result.high / result.low:6.1f}x{result.confidence:6.2f}"
        f"{result.suggestion():10.2g}   {'holds' if holds else 'MISSES'} "
        f"{', '.join(f'{r:.2g}' for r in good)}   {seconds:.0f} s",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=Path, default=Path("rate_grid.json"))
    parser.add_argument("--problems", nargs="*", default=["diamonds", "mnist"])
    parser.add_argument("--optimizers", nargs="*", default=OPTIMIZERS)
    args = parser.parse_args()
    known = json.loads(args.grid.read_text()) if args.grid.exists() else {}
    print("problem  optimizer  range, width, confidence, suggestion, good rates")
    for name in args.problems:
        case = problem(name)
        for optimizer in args.optimizers:
            of_case = known.setdefault(f"{name} {optimizer}", {})
            rates = LOWEST[name, optimizer] * GRID
            losses = grid(
                case,
                optimizer,
                rates,
                of_case,
                lambda: args.grid.write_text(json.dumps(known)),
            )
            report(name, optimizer, losses, *searched(case, optimizer))


if __name__ == "__main__":
    main()
