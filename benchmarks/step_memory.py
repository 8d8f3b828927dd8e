"""Peak memory of an optimizer's step: keras-optlab over Keras (Linux).

    python benchmarks/step_memory.py --optimizers adam lion

Each contender runs in its own process, which creates weights, gradients and state, and
then runs ten steps. The result is the peak resident memory of the last eight steps,
above the memory before the weights were created. The first two steps trace.
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
    """Return the peak memory of a contender's steps above the start, in MB."""
    contenders = importlib.import_module(f"contenders.on_{backend}")
    contenders.steps(name, [(2,)])[label]()()
    before = resident("VmRSS")
    step = contenders.steps(name, WORKLOADS[workload])[label]()
    step()
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # resets the peak
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
