"""Peak memory of an optimizer's step: ours over Keras' twin (Linux).

    python benchmarks/step_memory.py --optimizers adam lion

Each contender runs in a process of its own: weights, gradients and state are made, then
ten steps; what is printed is how far the resident memory rose above what the process
held before, at its peak during the steps that follow the first two, which trace.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import pathlib
from concurrent.futures import ProcessPoolExecutor

from workloads import WORKLOADS


def resident(what):
    """Return the resident memory in MB: `VmRSS` is now, `VmHWM` the peak."""
    status = pathlib.Path("/proc/self/status").read_text()
    line = next(x for x in status.splitlines() if x.startswith(what))
    return int(line.split()[1]) / 1024


def peak(backend, name, workload, label):
    """Return by how many MB the memory rises in a step of one contender."""
    contenders = importlib.import_module(f"contenders.on_{backend}")
    contenders.steps(name, [(2,)])[label]()()
    before = resident("VmRSS")
    step = contenders.steps(name, WORKLOADS[workload])[label]()
    step()
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    for _ in range(8):
        step()
    return resident("VmHWM") - before


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = {"nargs": "+", "metavar": "NAME"}
    parser.add_argument("--optimizers", default=["adam"], **names)
    parser.add_argument("--workloads", default=["big", "small"], **names)
    parser.add_argument("--json", type=pathlib.Path, help="file to write the rows to")
    args = parser.parse_args()
    rows = []
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    spawn = multiprocessing.get_context("spawn")
    for name in args.optimizers:
        for workload in args.workloads:
            peaks = {}
            for label in "ours", "keras":
                with ProcessPoolExecutor(1, mp_context=spawn) as process:
                    call = process.submit(peak, backend, name, workload, label)
                    peaks[label] = call.result()
            ours, theirs = peaks["ours"], peaks["keras"]
            figures = f"{ours:8.0f} MB, keras {theirs:8.0f} MB, {ours / theirs:.2f}"
            print(f"{backend} {workload:10} {name:10} ours {figures}", flush=True)
            rows.append({"workload": workload, "optimizer": name, **peaks})
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
