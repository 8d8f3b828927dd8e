"""The way of every optimizer on two functions: the paths of the gallery.

    KERAS_BACKEND=jax python benchmarks/gallery_paths.py

Each optimizer has the best of five learning rates for 200 updates; wrappers are around
Adam. Half an hour on one core. Run it in the root of the repository. Stopped, it goes
on with the same command.
"""

import json
import pathlib

import rich.progress

from keras_optlab import lab, optimizers

FUNCTIONS = "rosenbrock", "beale"
RECORDS = pathlib.Path("benchmarks/studies/gallery-paths/records.jsonl")
EVERY = 2  # updates between two points that are kept


def records():
    """Return what was computed before."""
    lines = RECORDS.read_text().splitlines() if RECORDS.exists() else []
    return [json.loads(line) for line in lines]


def record(name, optimizer, function):
    """Return the best way of an optimizer on a function, or why there is none."""
    found = {"label": name, "optimizer": optimizer, "function": function}
    try:
        way = lab.paths(function, [optimizer], updates=200, rates=5).found[0]
    except ValueError as error:  # it diverges at each rate
        return found | {"error": str(error)}
    points = [[float(f"{x:.4g}") for x in p] for p in way.points[::EVERY]]
    arguments = way.setting.arguments
    return found | {"arguments": arguments, "end": way.end, "points": points}


def main():
    single = {name: name for name in optimizers.names()}
    around = {name: f"{name}(adam)" for name in optimizers.wrappers()}
    done = {(r["label"], r["function"]) for r in records()}
    wanted = [
        (name, optimizer, function)
        for name, optimizer in (single | around).items()
        for function in FUNCTIONS
        if (name, function) not in done
    ]
    RECORDS.parent.mkdir(parents=True, exist_ok=True)
    with RECORDS.open("a") as file:
        for name, optimizer, function in rich.progress.track(wanted):
            file.write(json.dumps(record(name, optimizer, function)) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
