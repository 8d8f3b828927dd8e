"""All speed figures of the optimizers with their bounds, in one table.

    python benchmarks/speed.py --runs 3
    python benchmarks/speed.py --runs 3 --only fit_jax fit_torch torch_small int8

Runs `fit_time.py`, `step_time.py`, `step_memory.py` and `import_time.py`, which
describe how they measure, one after the other, `--runs` times. Figures are ratios of
keras-optlab to the contender named: of wall time, and for `fit` also of processor time.
A star marks a figure above its bound. In brackets: without the guard
(`skip_non_finite=False`), which no other contender has.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from operator import itemgetter

import rich.box
import rich.console
import rich.table

HERE = pathlib.Path(__file__).parent
# On TensorFlow.
FIT = {"mlp": 0.92, "mlp, batch 32": 0.88, "wide": 0.80, "deep": 0.95, "cnn": 1.0}
# For each backend: the other optimizers, and the bound on the ratio to them.
OTHERS = {
    "tensorflow": (("TF kernels",), 1.15),
    "jax": (("optax",), 1.05),
    "torch": (("torch foreach", "torch fused"), 1.1),
}


def measured(script, *arguments, backend="tensorflow"):
    """Run another benchmark, and return its result."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rows.json"
        command = [sys.executable, HERE / script, *arguments, "--json", path]
        env = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(command, check=True, env=env, stdout=sys.stderr)
        return json.loads(path.read_text())


def fit_tensorflow():
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


# On other backends: bounds with the guard and without, and of the first fit.
FIT_ELSEWHERE = {"jax": (1.1, 1.0, 1.2), "torch": (1.0, 1.0, 1.0)}


def fit_elsewhere(backend):
    """Yield the time of a step of `fit` and of the first fit, over Keras."""
    rows = measured(
        "fit_time.py",
        *("--models", "mlp", "wide", "deep"),
        *("--optimizers", "adam", "sgd", "lion"),
        *("--at-once", "1", "--rounds", "7"),
        backend=backend,
    )
    guarded, bare, first = FIT_ELSEWHERE[backend]
    kinds = ("", guarded, "ours"), (", no guard", bare, "unguarded")
    for (model, name), own in itertools.groupby(rows, itemgetter("model", "optimizer")):
        of = {row["contender"]: row for row in reversed(list(own))}
        for kind, bound, label in kinds:
            ratio, what = of[label]["ratio"], f"fit, {backend}, {model}"
            yield what, f"{name}{kind} / Keras", bound, ratio, f"{ratio:.2f}"
        ratio = of["ours"]["first"] / of["keras"]["first"]
        what = f"first fit, {backend}, {model}"
        yield what, f"{name} / Keras", first, ratio, f"{ratio:.2f}"


def torch_small():
    """Yield the time of a step alone over torch's fastest, many small weights."""
    rows = measured(
        "step_time.py",
        *("--backends", "torch", "--workloads", "small", "--rounds", "9"),
        *("--optimizers", "adam", "adamw", "sgd"),
    )
    for name, own in itertools.groupby(rows, itemgetter("optimizer")):
        of = {row["contender"]: row["wall"] for row in own}
        best = min(of[x] for x in OTHERS["torch"][0] if x in of)
        for kind, bound, label in (
            ("", 1.6, "ours"),
            (", no guard", 1.3, "ours, unguarded"),
        ):
            ratio, over = of[label] / best, f"{name}{kind} / torch"
            yield "torch, small", over, bound, ratio, f"{ratio:.2f}"


# Adam with state in 8 bits over Adam with state in float32.
IN_8_BITS = {"jax": 2.0, "tensorflow": float("inf"), "torch": float("inf")}


def int8():
    """Yield the time of a step alone with state in 8 bits, over float32."""
    for backend, bound in IN_8_BITS.items():
        rows = measured(
            "step_time.py",
            *("--backends", backend, "--workloads", "big", "--optimizers", "adam"),
            *("--slot-dtype", "int8"),
        )
        of = {row["contender"]: row["ratio"] for row in rows}
        ratio = 1 / of["ours, int8"]
        over = "adam, int8 / float32"
        yield f"{backend}, big", over, bound, ratio, f"{ratio:.2f}"


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


# Each part yields: title, what it is over, bound, value and text.
PARTS = {
    "fit_tensorflow": fit_tensorflow,
    "fit_jax": functools.partial(fit_elsewhere, "jax"),
    "fit_torch": functools.partial(fit_elsewhere, "torch"),
    "tensorflow_big": functools.partial(alone, "tensorflow", "big", "--all"),
    "tensorflow_small": functools.partial(
        over_keras, "small", "adam", 0.5, bound_of_first=1.5
    ),
    "tensorflow_embedding": functools.partial(over_keras, "embedding", "adam", 0.05),
    "jax_big": functools.partial(alone, "jax", "big"),
    "jax_small": functools.partial(alone, "jax", "small"),
    "torch_big": functools.partial(alone, "torch", "big"),
    "torch_small": torch_small,
    "int8": int8,
    "memory": memory,
    "importing": importing,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    found = {}
    for _, part in itertools.product(range(args.runs), args.only):
        for what, over, bound, figure, text in PARTS[part]():
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
