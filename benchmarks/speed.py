"""All speed figures of the optimizers with their bounds, in one table.

    python benchmarks/speed.py --runs 3

Runs `fit_time.py`, `step_time.py`, `step_memory.py` and `import_time.py`, which
describe how they measure, one after the other, `--runs` times. Figures are ratios of
keras-optlab to the contender named: of wall time, and for `fit` also of processor time.
A star marks a figure above its bound. In brackets: without the guard
(`skip_non_finite=False`), which no other contender has.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import rich.box
import rich.console
import rich.table

HERE = pathlib.Path(__file__).parent
FIT = {"mlp": 0.92, "mlp, batch 32": 0.88, "wide": 0.80, "deep": 0.95, "cnn": 1.0}
# For each backend: the other optimizers, and the bound on the ratio to them.
OTHERS = {
    "tensorflow": (("TF kernels",), 1.15),
    "jax": (("optax",), 1.05),
    "torch": (("torch foreach", "torch fused"), 1.1),
}


def measured(script, *arguments):
    """Run another benchmark, and return its result."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rows.json"
        command = [sys.executable, HERE / script, *arguments, "--json", path]
        env = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(command, check=True, env=env, stdout=sys.stderr)
        return json.loads(path.read_text())


def fit():
    """Yield the time of a step of `fit`, over Keras."""
    rows = measured("fit_time.py", "--all", "--at-once", "20", "--rounds", "7")
    bare = {
        (row["model"], row["optimizer"]): row["ratio"]
        for row in rows
        if row["contender"] == "unguarded"
    }
    for row in rows:
        model, name, label = row["model"], row["optimizer"], row["contender"]
        figures = f"{row['ratio']:.2f} / {row['cpu_ratio']:.2f}"
        if label == "ours":
            bound = FIT[model] if name == "adam" else 1.0
            figures += f" ({bare[model, name]:.2f})"
            yield f"fit, {model}", f"{name} / Keras", bound, row["ratio"], figures
        elif label == "all on":
            over = f"{name}, all on / Keras"
            yield f"fit, {model}", over, 1.03, row["ratio"], figures


def alone(backend, workload, *arguments):
    """Yield the time of a step alone, over the fastest other optimizer or Keras."""
    rows = measured(
        "step_time.py",
        *("--backends", backend),
        *("--workloads", workload),
        *("--rounds", "5"),
        *arguments,
    )
    others, bound = OTHERS[backend]
    for name, own in itertools.groupby(rows, lambda row: row["optimizer"]):
        own = {row["contender"]: row["ratio"] for row in own}
        what, best = f"{backend}, {workload}", max(own.get(x, 0) for x in others)
        if best:
            bare = best / own["ours, unguarded"]
            label = others[0].split()[0]
            yield what, f"{name} / {label}", bound, best, f"{best:.2f} ({bare:.2f})"
        elif backend == "tensorflow" and "keras" in own:
            yield what, f"{name} / Keras", 0.8, own["keras"], f"{own['keras']:.2f}"


def over_keras(workload, name, bound, *, bound_of_first=None):
    """Yield the time of a step and of the first step on TensorFlow, over Keras."""
    rows = measured(
        "step_time.py",
        *("--backends", "tensorflow"),
        *("--workloads", workload),
        *("--optimizers", name),
    )
    own = {row["contender"]: row for row in rows}
    ratio = own["keras"]["ratio"]
    yield f"tensorflow, {workload}", f"{name} / Keras", bound, ratio, f"{ratio:.2f}"
    if bound_of_first:
        ratio = own["ours"]["first"] / own["keras"]["first"]
        what = f"tensorflow, {workload}, first step"
        yield what, f"{name} / Keras", bound_of_first, ratio, f"{ratio:.2f}"


def memory():
    """Yield the peak memory of a step, over Keras."""
    for row in measured("step_memory.py"):
        ratio = row["ours"] / row["keras"]
        what = f"peak memory, {row['workload']}"
        yield what, f"{row['optimizer']} / Keras", 1.05, ratio, f"{ratio:.2f}"


def importing():
    """Yield the time of the import, in ms."""
    ms = measured("import_time.py")["ms"]
    yield "import", "ms over Keras", 100, ms, f"{ms:.0f}"


def everything():
    """Yield each figure: title, what it is over, bound, value and text."""
    yield from fit()
    yield from alone("tensorflow", "big", "--all")
    yield from over_keras("small", "adam", 0.5, bound_of_first=1.5)
    yield from over_keras("embedding", "adam", 0.05)
    for backend in "jax", "torch":
        for workload in "big", "small":
            yield from alone(backend, workload)
    yield from memory()
    yield from importing()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1, help="default: %(default)s")
    args = parser.parse_args()
    found = {}
    for _ in range(args.runs):
        for what, over, bound, figure, text in everything():
            star = "*" if figure > bound else ""
            found.setdefault((what, over, bound), []).append(text + star)
            print(what, over, text + star, file=sys.stderr, flush=True)
    runs = [f"run {i + 1}" for i in range(args.runs)]
    table = rich.table.Table(
        "figure", "ours /", "at most", *runs, box=rich.box.MARKDOWN
    )
    for (what, over, bound), texts in found.items():
        table.add_row(what, over, f"{bound:g}", *texts)
    rich.console.Console(width=140).print(table)


if __name__ == "__main__":
    main()
