"""Each recipe against Adam as Keras has it by default, on a problem of its kind.

    python benchmarks/recipes.py
    python benchmarks/recipes.py --recipes tabular text --seeds 3

Run it in the root of the repository. Both train the same network on the same data for
as many epochs. The table has the median, lowest and highest result on the test data.
"""

import argparse
import functools
import statistics

import keras
import rich.console
import rich.table

from keras_optlab import recipes
from keras_optlab.lab.problems import find


def adam(model):  # noqa: ARG001
    """Return Adam with Keras' defaults as a recipe."""
    return recipes.Recipe(keras.optimizers.Adam())


def without_model(recipe):
    """Return a recipe that takes a model and leaves it."""
    return lambda _: recipe()


CASES = {
    "image_classification": [("mnist-cnn", 6, recipes.image_classification)],
    "tabular": [
        ("diamonds-mlp", 20, without_model(recipes.tabular)),
        ("benchmarks/diamonds_cut.py", 20, without_model(recipes.tabular)),
    ],
    "text": [("char-gpt", 4, recipes.text)],
    "no_tuning": [
        (name, epochs, without_model(recipes.no_tuning))
        for name, epochs in (("mnist-mlp", 4), ("diamonds-mlp", 20), ("char-gpt", 4))
    ],
    "open_end": [
        (name, epochs, without_model(recipes.open_end))
        for name, epochs in (("mnist-mlp", 4), ("diamonds-mlp", 20), ("char-gpt", 4))
    ],
    "low_memory": [
        (name, epochs, without_model(recipes.low_memory))
        for name, epochs in (("mnist-mlp", 4), ("char-gpt", 4))
    ],
}


problem_of = functools.cache(find)  # with its data


@functools.cache
def results(name, epochs, recipe, seeds):
    """Return the metric of the problem on the test data for each seed."""
    problem = problem_of(name)
    found = []
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        model = problem.model()
        made = recipe(model)
        metrics = [m() if isinstance(m, type) else m for m in problem.metrics]
        model.compile(**made.compile, loss=problem.loss, metrics=metrics)
        model.fit(
            *problem.splits.train,
            batch_size=problem.batch_size,
            epochs=epochs,
            validation_data=problem.splits.validation,
            validation_batch_size=1000,
            callbacks=made.callbacks,
            verbose=0,
        )
        test = problem.splits.test
        values = model.evaluate(*test, batch_size=1000, return_dict=True, verbose=0)
        found.append(values[problem.monitor])
    return found


def shown(values):
    return f"{statistics.median(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", choices=CASES, default=[*CASES])
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    args = parser.parse_args()
    heads = "recipe", "problem", "epochs", "metric", "keras Adam(1e-3)", "the recipe"
    table = rich.table.Table(*heads, box=None)
    for recipe in args.recipes:
        for name, epochs, function in CASES[recipe]:
            monitor = problem_of(name).monitor
            columns = [results(name, epochs, f, args.seeds) for f in (adam, function)]
            row = recipe, name, str(epochs), monitor, *map(shown, columns)
            table.add_row(*row)
            print(*row, flush=True)
    rich.console.Console(width=120).print(table)


if __name__ == "__main__":
    main()
