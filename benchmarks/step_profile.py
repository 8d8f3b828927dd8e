"""Profile of an optimizer's step on torch: torch's calls, and Python by package.

    python benchmarks/step_profile.py --optimizer adam --workload small

Prints the milliseconds per step under Python's profiler, longest first, of each call
into torch and of the Python code around the calls, by package. The profiler makes calls
look slower than they are, so read the shares.
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
    """Return the row of a function: the name of a C call, or else its package."""
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
