"""Long runs: memory, files and threads, beside the same run with Keras' own parts.

    python -m tests.campaign.soak --scale 1.0
    python -m tests.campaign.soak --only fits --scale 0.1

Each run is a process of its own, once with this package and once with Keras' optimizer
and callbacks:

- `epochs`: 2,000 short epochs.
- `models`: 500 models, each made, trained and dropped.
- `fits`: 200 calls of `fit` of one model.
- `threads`: two models, trained 50 times each in two threads.

The growth of memory is that from a quarter of the run on; before, compiled steps and
allocators fill up. It may be 1 MB more than with Keras. No file and no thread may stay
open, and no dropped model may stay alive.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TIMES = {"epochs": 2000, "models": 500, "fits": 200, "threads": 50}
LIMIT = 2**20  # bytes of growth beyond that of Keras


def memory() -> int:
    """Return the bytes of this process that are in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Parts:
    """What is trained, of this package or of Keras.

    Args:
        ours: Whether it is of this package.
        folder: For event files.
    """

    def __init__(self, ours: bool, folder: str) -> None:
        self.ours, self.folder = ours, folder

    def model(self) -> Any:
        import keras

        import keras_optlab as kol

        dense = keras.layers.Dense
        model = keras.Sequential([keras.Input((4,)), dense(8, "relu"), dense(1)])
        optimizers = kol.optimizers if self.ours else keras.optimizers
        model.compile(optimizers.AdamW(1e-4), "mse")
        return model

    def callbacks(self) -> list[Any]:
        import keras

        import keras_optlab as kol

        if not self.ours:
            early = keras.callbacks.EarlyStopping("loss", patience=10**6)
            plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=10**6)
            return [early, plateau]
        early = kol.callbacks.EarlyStopping("loss", patience=10**6)
        plateau = kol.callbacks.ReduceOnPlateau("loss", patience=10**6)
        return [early, plateau, kol.callbacks.TensorBoard(self.folder, every=100)]

    def fit(self, model: Any, epochs: int = 1, **how: Any) -> None:
        import numpy as np

        x = np.ones((8, 4), "float32")
        callbacks = [*self.callbacks(), *how.pop("callbacks", [])]
        model.fit(x, x[:, :1], epochs=epochs, verbose=0, callbacks=callbacks, **how)


def epochs(parts: Parts, times: int, mark: Callable[[int], None]) -> None:
    import keras

    each = keras.callbacks.LambdaCallback(on_epoch_end=lambda i, _: mark(i))
    parts.fit(parts.model(), times, callbacks=[each])


def models(parts: Parts, times: int, mark: Callable[[int], None]) -> None:
    import keras

    last: weakref.ref[Any] | None = None
    for i in range(times):
        model = parts.model()
        parts.fit(model)
        last = weakref.ref(model)
        del model
        keras.backend.clear_session()
        mark(i)
    gc.collect()
    if last is not None and last() is not None:
        raise RuntimeError("the last model is still alive")


def fits(parts: Parts, times: int, mark: Callable[[int], None]) -> None:
    model = parts.model()
    for i in range(times):
        parts.fit(model)
        mark(i)


def threads(parts: Parts, times: int, mark: Callable[[int], None]) -> None:
    two = [parts.model() for _ in range(2)]
    failed: list[BaseException] = []

    def run(model: Any, first: bool) -> None:
        try:
            for i in range(times):
                parts.fit(model)
                if first:
                    mark(i)
        except BaseException as error:  # noqa: BLE001  # told to the main thread
            failed.append(error)

    running = [threading.Thread(target=run, args=(m, m is two[0])) for m in two]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failed:
        raise failed[0]


RUNS = {f.__name__: f for f in (epochs, models, fits, threads)}


def work(name: str, ours: bool, times: int) -> dict[str, Any]:
    """Run in this process; return the growth, and what stayed open."""
    marks: dict[int, int] = {}

    def mark(i: int) -> None:
        if i in (times // 4, times - 1):
            marks[i] = memory()

    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(ours, folder)
        parts.fit(parts.model())  # what is opened once
        files, running = open_files(), threading.active_count()
        RUNS[name](parts, times, mark)
        gc.collect()
        return {
            "growth": marks[times - 1] - marks[times // 4],
            "files": open_files() - files,
            "threads": threading.active_count() - running,
        }


def started(name: str, ours: bool, times: int) -> dict[str, Any]:
    """Run in a process of its own."""
    command = [sys.executable, "-m", "tests.campaign.soak", "--only", name]
    command += ["--work", "ours" if ours else "keras", "--times", str(times)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--scale", type=float, default=1.0, help="of all lengths")
    parser.add_argument("--work", choices=["ours", "keras"], help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        print(json.dumps(work(args.only[0], args.work == "ours", args.times)))
        return
    failed = False
    for name in args.only:
        times = max(8, int(TIMES[name] * args.scale))
        keras, ours = (started(name, kind, times) for kind in (False, True))
        more = ours["growth"] - keras["growth"]
        wrong = more > LIMIT or ours["files"] > 0 or ours["threads"] > 0
        failed = failed or wrong
        print(
            f"{name:8} {times:5} times: grows by {ours['growth'] / 1e6:.2f} MB, Keras' "
            f"by {keras['growth'] / 1e6:.2f} MB; {ours['files']} files and "
            f"{ours['threads']} threads stay open{'  TOO MUCH' if wrong else ''}",
            flush=True,
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
