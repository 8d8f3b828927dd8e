"""Time of an optimizer's step alone: keras-optlab and others, on each backend.

    python benchmarks/step_time.py
    python benchmarks/step_time.py --backends tensorflow --workloads small --all
    python benchmarks/step_time.py --workloads big --optimizers adam --slot-dtype int8

Each backend runs in its own process. The contenders take turns round by round, each for
a fraction of a second, because the speed of a shared machine varies. The table shows
medians over the rounds. `ours /` is the median ratio, within a round, of keras-optlab
to the contender. Times depend on the machine; read the ratios. `unguarded` is
keras-optlab with `skip_non_finite=False`, like all other contenders: the guard reads
each gradient once before any write. `first` is the time until the first steps are done:
build, trace and compile. `copy` copies as many bytes as an update must move, on all
cores: the floor.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import itertools
import json
import multiprocessing
import os
import pathlib
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import rich.console
import rich.table
from workloads import WORKLOADS

BACKENDS = ("tensorflow", "jax", "torch")
OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "adagrad", "lion", "nadam")
TEXTS = "backend", "workload", "optimizer", "contender"
FIGURES = "first", "wall", "cpu", "ratio", "cpu_ratio"


def clocks():
    """Return the wall time and the processor time."""
    return np.array([time.perf_counter(), time.process_time()])


def turn(step, seconds):
    """Run steps for some seconds; return the mean time of a step."""
    start, steps = clocks(), 0
    while clocks()[0] - start[0] < seconds or steps < 3:
        steps += step()
    return (clocks() - start) / steps


def compare(backend, workload, name, rounds, seconds, slot_dtype):
    """Return a row for each contender; times in ms."""
    contenders = importlib.import_module(f"contenders.on_{backend}")
    gc.collect()  # memory of the previous comparison
    for make in contenders.steps(name, [(2,)]).values():
        make()  # warm-up, since the first step of a process is slower
    kind = "embedding" if workload == "embedding" else "steps"
    if not hasattr(contenders, kind):
        return []  # Keras has no sparse gradients on torch
    steps, first = {}, {}
    shapes = WORKLOADS[workload]
    makes = getattr(contenders, kind)(name, shapes)
    if slot_dtype:
        makes[f"ours, {slot_dtype}"] = lambda: contenders.applied(
            contenders.ours(name, slot_dtype=slot_dtype), shapes
        )
    for label, make in makes.items():
        start = clocks()
        steps[label] = make()
        first[label] = clocks()[0] - start[0]
    times = {label: [] for label in steps}
    for i in range(rounds):
        labels = list(steps)
        shift = i % len(labels)
        for label in labels[shift:] + labels[:shift]:
            times[label].append(turn(steps[label], seconds))
    rows = []
    for label, took in times.items():
        wall, cpu = 1000 * np.median(took, axis=0)
        ratios = np.median(np.array(times["ours"]) / np.array(took), axis=0)
        values = backend, workload, name, label, 1000 * first[label], wall, cpu, *ratios
        rows.append(dict(zip(TEXTS + FIGURES, values, strict=True)))
    return rows


def every_name():
    import keras_optlab as kol

    return kol.optimizers.names()


def table(rows):
    """Return the rows as a table."""
    result = rich.table.Table(box=None)
    for head in TEXTS:
        result.add_column(head, no_wrap=True)
    for head in "first ms", "wall ms", "cpu ms", "ours /", "cpu":
        result.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        figures = ("{first:.0f}", "{wall:.3f}", "{cpu:.3f}", "{ratio:.2f}")
        figures = [x.format(**row) for x in (*figures, "{cpu_ratio:.2f}")]
        result.add_row(*(row[x] for x in TEXTS), *figures)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = {"nargs": "+", "metavar": "NAME"}
    parser.add_argument("--backends", choices=BACKENDS, default=BACKENDS, **names)
    parser.add_argument(
        "--workloads", choices=WORKLOADS, default=list(WORKLOADS), **names
    )
    parser.add_argument("--optimizers", default=OPTIMIZERS, **names)
    parser.add_argument("--all", action="store_true", help="all registered optimizers")
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=0.2, help="per turn; default: %(default)s"
    )
    parser.add_argument("--slot-dtype", help="one more contender, with such state")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the rows to")
    args = parser.parse_args()

    console = rich.console.Console(width=100)  # also if the output is not a terminal
    rows = []
    for backend in args.backends:
        if importlib.util.find_spec(backend) is None:
            console.print(f"{backend} is not installed, so it is skipped")
            continue
        os.environ["KERAS_BACKEND"] = backend
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as process:
            names = args.optimizers
            if args.all:
                names = process.submit(every_name).result()
            for workload, name in itertools.product(args.workloads, names):
                how = args.rounds, args.seconds, args.slot_dtype
                row = (backend, workload, name, *how)
                rows += process.submit(compare, *row).result()
                print(*row[:3], "done", file=sys.stderr, flush=True)
    console.print(table(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
