r"""Speed, memory and correctness on an accelerator, within 8 minutes.

    python benchmarks/on_accelerator.py --json figures.json
    python benchmarks/on_accelerator.py --tiny

For a bare machine with JAX and torch; TensorFlow is not needed. It also runs on a CPU.
`--tiny` shows that all parts work, with small sizes and few rules.

What must be importable besides JAX, torch and NumPy: Keras and what it requires
(absl-py, h5py, ml-dtypes, namex, optree, packaging, rich), and optax, without which its
rows are left out. `import keras_optlab` needs no more than Keras, NumPy and filelock,
which torch requires too. To a machine without network, carry them in a folder made for
its version of Python:

    pip install --no-deps --target carried keras absl-py h5py ml-dtypes namex optree \
        packaging rich typing-extensions pygments markdown-it-py mdurl optax
    PYTHONPATH=carried python benchmarks/on_accelerator.py --json figures.json

Each backend runs in processes of its own:

1. Correctness. Every rule takes 12 steps in float32, on the accelerator and on the CPU.
   The figure is the largest difference of the final weights over the distance moved.
2. The step alone, with the shapes of GPT-2 small and three sets of `workloads.py`:
   keras-optlab with and without the guard, Keras' twin, optax, torch.optim fused and by
   lists. On torch, a turn waits for the device after several steps, on JAX after each.
   `ours /` is the median ratio within a round. For rules without a kernel in torch:
   also the time over that of Keras' Adam, each per byte that an update must move.
3. `fit` of a transformer of two layers, over Keras' twin: a step, and the first `fit`
   with tracing and compiling.
4. Bytes: the optimizer's state and, on CUDA, what a step needs beyond it.

What the time did not suffice for is listed. With `--backends jax` or `torch`, one of
them has all the time.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time

BACKENDS = "jax", "torch"
KERNELS = "sgd", "adam", "adamw"
OTHERS = "lion", "rmsprop", "nadam", "adan", "muon"
FITTED = "adamw", "lion", "sgd"
SHARES = {
    "correct": 0.25,
    "step": 0.42,
    "fit": 0.23,
}  # the rest: imports
CHECKED_STEPS = 12
TINY = {"step": [(64, 64), (64,)] * 4}
LIMIT = 1e-3  # of the distance moved: two devices add in different orders


def gpt2_small():
    """Return the shapes of GPT-2 small: 124 million parameters in 148 tensors."""
    width, layers = 768, 12
    block = [(width,), (width,), (width, 3 * width), (3 * width,), (width, width)]
    block += [(width,), (width,), (width,), (width, 4 * width), (4 * width,)]
    block += [(4 * width, width), (width,)]
    return [(50257, width), (1024, width), *layers * block, (width,), (width,)]


def workloads(tiny):
    """Return the sets of weights by name."""
    from workloads import WORKLOADS

    if tiny:
        return TINY
    return {"gpt2": gpt2_small()} | {k: WORKLOADS[k] for k in ("small", "big", "mixed")}


class Budget:
    """The time of one process; `left` is false once it is spent."""

    def __init__(self, seconds):
        self.end = time.perf_counter() + seconds

    def left(self):  # noqa: D102
        return time.perf_counter() < self.end


def device_name():
    """Return the name of the device that the backend uses."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


# 1. Correctness.


def final_weights(budget, tiny):
    """Return the final weights of every rule by name, as far as the time suffices."""
    from keras_optlab import optimizers
    from keras_optlab.verify.problems import gradients, trajectory, weights

    shapes = {"vector": (4,), "wide": (3, 5), "kernel": (2, 3, 4, 5)}
    start, grads = weights(shapes), gradients(shapes, CHECKED_STEPS)
    names = optimizers.names()
    found = {"start": [x.tolist() for x in start]}
    for name in names[:4] if tiny else names:
        if not budget.left():
            break
        ends = trajectory(optimizers.create(name), start, grads, "float32")
        found[name] = [x.tolist() for x in ends]
    return found


def differences(here, reference):
    """Return a row for each rule that both processes had time for."""
    import numpy as np

    rows, start = [], here.pop("start")
    reference = dict(reference)
    reference.pop("start")
    for name in here.keys() & reference.keys():
        ratios = [0.0]
        for x, y, z in zip(here[name], reference[name], start, strict=True):
            x, y, z = map(np.asarray, (x, y, z))
            moved = max(abs(y - z).max(initial=0.0), 1e-30)
            ratios.append(float(abs(x - y).max(initial=0.0) / moved))
        worst = max(ratios) if all(map(math.isfinite, ratios)) else math.nan
        rows.append({"rule": name, "difference": worst, "holds": worst <= LIMIT})
    missing = sorted(here.keys() ^ reference.keys())
    return sorted(rows, key=lambda row: row["rule"]), missing


# 2. The step alone.


def step_rows(budget, tiny):
    """Return the rows of all contenders, and what was left out."""
    import keras

    backend = keras.backend.backend()
    contenders = importlib.import_module(f"contenders.on_{backend}")
    if backend == "torch":
        contenders.wait = lambda: None  # `turn` waits, after several steps
    rows, left_out = [], []
    names = KERNELS[:2] if tiny else KERNELS + OTHERS
    for name in names:
        for workload, shapes in workloads(tiny).items():
            if not budget.left():
                left_out.append(f"step, {workload}, {name}")
                continue
            rows += compared(contenders, workload, shapes, name, tiny)
    return rows, left_out


def compared(contenders, workload, shapes, name, tiny):
    """Return a row for each contender of one rule."""
    from contenders.ours import passes

    made = {}
    entries = contenders.steps(name, shapes)
    if name in OTHERS:
        entries["keras adam"] = contenders.steps("adam", shapes)["keras"]
    entries.pop("copy")
    gc.collect()  # the weights of the last comparison
    for label, make in entries.items():
        made[label] = make()
    times = {label: [] for label in made}
    for i in range(2 if tiny else 5):
        shift = i % len(made)
        labels = list(made)[shift:] + list(made)[:shift]
        for label in labels:
            times[label].append(turn(made[label], 3 if tiny else 10))
    rows = []
    for label, took in times.items():
        ratios = [a / b for a, b in zip(times["ours"], took, strict=True)]
        row = {
            "workload": workload,
            "optimizer": name,
            "contender": label,
            "ms": 1000 * median(took),
            "ours /": median(ratios),
        }
        if label == "keras adam":
            row["ours /, per byte"] = median(ratios) * passes("adam") / passes(name)
        rows.append(row)
    return rows


def turn(step, count):
    """Return the time of a step, waiting for the device after `count` of them."""
    step()
    synchronize()
    start = time.perf_counter()
    for _ in range(count):
        step()
    synchronize()
    return (time.perf_counter() - start) / count


def synchronize():
    """Wait for the device; steps on JAX wait themselves."""
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        sys.modules["torch"].cuda.synchronize()


def allocated():
    """Return the bytes in use on a CUDA device, for torch; else 0."""
    torch = sys.modules.get("torch")
    there = torch is not None and torch.cuda.is_available()
    return torch.cuda.memory_allocated() if there else 0


def median(xs):
    return sorted(xs)[len(xs) // 2]


# 3. fit.


def transformer(tiny):
    """Return an untrained decoder of two layers, and its data."""
    import keras
    import numpy as np

    layers = keras.layers
    width, heads, length, vocabulary = (32, 2, 16, 64) if tiny else (512, 8, 256, 8192)
    batch, steps = (4, 3) if tiny else (16, 20)
    keras.utils.set_random_seed(0)
    tokens = keras.Input((length,), dtype="int32")
    x = layers.Embedding(vocabulary, width)(tokens)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        attention = layers.MultiHeadAttention(heads, width // heads)
        x = x + attention(y, y, use_causal_mask=True)
        y = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(width)(y)
    logits = layers.Dense(vocabulary)(layers.LayerNormalization()(x))
    rng = np.random.default_rng(0)
    data = rng.integers(0, vocabulary, (steps * batch, length + 1), "int32")
    return keras.Model(tokens, logits), data[:, :-1], data[:, 1:], batch, steps


def fit_rows(budget, tiny):
    """Return the time of a step of `fit` and of the first `fit`, over Keras' twin."""
    import keras
    from contenders.ours import ours, twin

    rows, left_out = [], []
    for name in FITTED[:1] if tiny else FITTED:
        if not budget.left():
            left_out.append(f"fit, {name}")
            continue
        makers = {
            "keras": lambda name=name: twin(name),
            "ours": lambda name=name: ours(name),
            "ours, unguarded": lambda name=name: ours(name, skip_non_finite=False),
        }
        models, first, times, data = {}, {}, {label: [] for label in makers}, None
        for label, make in makers.items():
            model, x, y, batch, steps = transformer(tiny)
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(make(), loss)
            models[label] = model
            data = {"x": x, "y": y, "batch_size": batch, "shuffle": False, "verbose": 0}
            first[label] = timed(model, data)
        for i in range(2 if tiny else 5):
            shift = i % len(models)
            for label in list(models)[shift:] + list(models)[:shift]:
                times[label].append(timed(models[label], data) / steps)
        for label, took in times.items():
            ratios = [a / b for a, b in zip(took, times["keras"], strict=True)]
            rows.append(
                {
                    "optimizer": name,
                    "contender": label,
                    "ms": 1000 * median(took),
                    "/ keras": median(ratios),
                    "first / keras": first[label] / first["keras"],
                }
            )
    return rows, left_out


def timed(model, data):
    start = time.perf_counter()
    model.fit(**data)
    synchronize()
    return time.perf_counter() - start


# 4. Bytes.


def byte_rows(tiny):
    """Return the bytes of the state and, on CUDA, of a step's temporaries."""
    import keras
    import numpy as np
    from contenders.ours import ours, twin

    shapes = TINY["step"] if tiny else workloads(tiny)["mixed"]
    rows = []
    for name in KERNELS[:2] if tiny else KERNELS + OTHERS:
        row = {"optimizer": name}
        for label, optimizer in ("ours", ours(name)), ("keras", twin(name)):
            if not optimizer:
                continue
            weights = [keras.Variable(np.zeros(s, "float32")) for s in shapes]
            optimizer.build(weights)
            row[f"{label}: state"] = sum(
                math.prod(v.shape) * np.dtype(str(v.dtype)).itemsize
                for v in optimizer.variables
            )
            peak = peak_of_step(optimizer, weights, shapes)
            if peak is not None:
                row[f"{label}: temporaries"] = peak
            del weights
        rows.append(row)
    return rows


def peak_of_step(optimizer, weights, shapes):
    """Return the peak of a step beyond what is held before it, on torch with CUDA."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    gradients = [torch.ones(shape, device="cuda") for shape in shapes]
    with torch.no_grad():
        optimizer.apply(gradients, weights)
        before = allocated()
        torch.cuda.reset_peak_memory_stats()
        optimizer.apply(gradients, weights)
    return torch.cuda.max_memory_allocated() - before


# Processes.


def child(what, seconds, tiny, path):
    """Measure one part in this process, and write the result."""
    budget = Budget(seconds)
    if what == "correct":
        result = {"ends": final_weights(budget, tiny)}
    elif what == "step":
        rows, left_out = step_rows(budget, tiny)
        result = {"rows": rows, "bytes": byte_rows(tiny), "left_out": left_out}
    else:
        rows, left_out = fit_rows(budget, tiny)
        result = {"rows": rows, "left_out": left_out}
    result["device"] = device_name()
    path.write_text(json.dumps(result))


def start(backend, what, seconds, tiny, path, on_cpu=False):
    """Start the process of one part."""
    here = pathlib.Path(__file__).resolve()
    paths = [str(here.parent.parent), str(here.parent), os.environ.get("PYTHONPATH")]
    env = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # two processes share the device
    }
    if on_cpu:
        env |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(here), "--child", what, "--budget", str(seconds)]
    command += ["--json", str(path)] + (["--tiny"] if tiny else [])
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)


def finish(process, path, seconds):
    """Return the result of a process, or why there is none."""
    try:
        process.wait(timeout=max(seconds, 1))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return {"failed": f"no result within {seconds:.0f} s"}
    if not path.exists():
        return {"failed": f"exit status {process.returncode}; see above"}
    return json.loads(path.read_text())


def measure(backend, seconds, tiny, folder):
    """Return all figures of one backend."""
    grace = 20.0  # seconds for one comparison that has begun
    parts = {part: share * seconds for part, share in SHARES.items()}
    jobs = []
    for on_cpu in False, True:
        path = folder / f"{backend}-correct-{on_cpu}.json"
        own = (backend, "correct", parts["correct"], tiny, path)
        jobs.append((start(*own, on_cpu=on_cpu), path))
    here, reference = (finish(p, path, parts["correct"] + grace) for p, path in jobs)
    found = {"device": here.get("device")}
    if "ends" in here and "ends" in reference:
        rows, missing = differences(here["ends"], reference["ends"])
        found["correct"] = {"rows": rows, "left_out": missing}
    else:
        found["correct"] = {"failed": [x.get("failed") for x in (here, reference)]}
    for part in "step", "fit":
        path = folder / f"{backend}-{part}.json"
        process = start(backend, part, parts[part], tiny, path)
        found[part] = finish(process, path, parts[part] + grace)
    return found


# The table.


def lines(rows):
    """Return rows as lines of a Markdown table."""
    heads = list(dict.fromkeys(head for row in rows for head in row))

    def text(x):
        return f"{x:.3g}" if isinstance(x, float) else str(x)

    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(text(row.get(head, "")) for head in heads) + " |"


def report(backend, found):
    """Print the figures of one backend."""
    print(f"\n## {backend}: {found['device']}")
    correct = found["correct"]
    if "rows" in correct:
        bad = [row for row in correct["rows"] if not row["holds"]]
        worst = max(correct["rows"], key=lambda row: row["difference"], default=None)
        print(f"\n{len(correct['rows'])} rules as on the CPU within {LIMIT:g} of the")
        print(f"distance moved, except {len(bad)}. Largest: {worst}")
        if bad:
            print("\n".join(lines(bad)))
    else:
        print("correctness:", correct["failed"])
    for part in "step", "fit":
        rows = found[part].get("rows")
        print(f"\n### {part}\n")
        print("\n".join(lines(rows)) if rows else found[part].get("failed", "nothing"))
        if "bytes" in found[part]:
            print("\n### bytes\n")
            print("\n".join(lines(found[part]["bytes"])))
    for part in "correct", "step", "fit":
        if found[part].get("left_out"):
            print(f"\nLeft out for lack of time: {found[part]['left_out']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument(
        "--budget", type=float, default=420, help="seconds in all; default: %(default)s"
    )
    parser.add_argument("--tiny", action="store_true", help="small sizes, few rules")
    parser.add_argument(
        "--json", type=pathlib.Path, help="file to write the figures to"
    )
    parser.add_argument("--child", choices=("correct", "step", "fit"), help="internal")
    args = parser.parse_args()
    if args.child:
        child(args.child, args.budget, args.tiny, args.json)
        return
    backends = [b for b in args.backends if importlib.util.find_spec(b)]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for backend in backends:
            share = args.budget / len(backends)
            found[backend] = measure(backend, share, args.tiny, pathlib.Path(folder))
            report(backend, found[backend])
            if args.json:
                args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
