"""What a step on torch spends its time on, where Python runs it call by call.

    python benchmarks/step_profile.py --optimizer adam --workload small

Prints milliseconds of a step under Python's profiler: of torch's calls, the longest
first, and of the Python code around them, by package. The profiler itself makes calls
seem longer than they are; shares are what to read.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pathlib
import pstats

import rich.box
import rich.console
import rich.table
from workloads import WORKLOADS

STEPS = 100
PACKAGES = "keras_optlab", "keras", "torch"


def place(file, name):
    """Return where a function belongs: a call of C by its name, else a package."""
    if file == "~":
        return name.strip("<>").removeprefix("built-in method ")
    parts = pathlib.Path(file).parts
    return next((f"Python of {x}" for x in PACKAGES if x in parts), "other Python")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizer", default="adam", help="default: %(default)s")
    parser.add_argument("--workload", choices=WORKLOADS, default="small")
    args = parser.parse_args()
    os.environ["KERAS_BACKEND"] = "torch"
    from contenders import on_torch

    make = on_torch.steps(args.optimizer, WORKLOADS[args.workload])["ours"]
    step = make()
    for _ in range(STEPS // 10):
        step()
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(STEPS):
        step()
    profile.disable()
    spent: dict[str, float] = {}
    for (file, _, name), (_, _, own, _, _) in pstats.Stats(profile).stats.items():
        where = place(file, name)
        spent[where] = spent.get(where, 0.0) + 1000 * own / STEPS
    total = sum(spent.values())
    table = rich.table.Table("where", "ms of a step", "share", box=rich.box.MARKDOWN)
    for where, ms in sorted(spent.items(), key=lambda item: -item[1])[:9]:
        table.add_row(where, f"{ms:.3f}", f"{ms / total:.0%}")
    rich.console.Console(width=100).print(table)


if __name__ == "__main__":
    main()
