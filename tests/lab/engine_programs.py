"""Programs for `test_engines.py`: `python -m tests.lab.engine_programs ...`.

Arguments: `deaths` or `interrupts`, the engine, and a folder. The functions are in the
main module, and therefore sent to workers by value.
"""

import glob
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
from keras import ops

from keras_optlab.lab.engines import Running, make_engine
from keras_optlab.lab.trials import Setting, Trial, run_trial

PROBLEM = """
import keras
import numpy as np
from keras_optlab.lab import Problem


def problem():
    def model():
        dense = keras.layers.Dense
        return keras.Sequential([keras.Input((6,)), dense(8, "tanh"), dense(1)])

    x = np.random.default_rng(0).normal(size=(400, 6)).astype("float32")
    return Problem(model, (x, np.tanh(x.sum(1, keepdims=True))), "mse", epochs=3)
"""


def trials(count, problem="quadratic-100"):
    setting = Setting("adam", {"learning_rate": 0.01})
    return [Trial(problem, "adam", setting, index=i, seed=7) for i in range(count)]


def busy_threads():
    """Return how many threads share the work of a product of matrices."""

    def spent():
        fields = [Path(p).read_text().rpartition(")")[2].split() for p in threads]
        return np.array([int(f[11]) + int(f[12]) for f in fields])  # clock ticks

    x = ops.ones((2000, 2000))
    ops.convert_to_numpy(ops.matmul(x, x))  # starts the threads
    threads = glob.glob("/proc/self/task/*/stat")
    before = spent()
    for _ in range(4):
        ops.convert_to_numpy(ops.matmul(x, x))
    grown = spent() - before
    return int(np.sum(grown > 0.25 * grown.max()))


def deaths(name, folder):
    """Workers that die once or always, and an error, among trials that train."""
    file = folder / "mine.py"
    file.write_text(PROBLEM)

    def work(trial):
        if trial.index == 1 and not (folder / "died").exists():
            (folder / "died").touch()
            time.sleep(0.5)  # trial 0 runs too
            os.kill(os.getpid(), signal.SIGKILL)
        if trial.index == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if trial.index == 3:
            raise ValueError("no")
        return run_trial(trial) | {"busy": busy_threads()}

    records = []
    reference = f"{file}:problem"
    Running(make_engine(name, 2), work, records.append).run(trials(5, reference))
    here = run_trial(trials(1, reference)[0])
    print(json.dumps([*records, here]))


def interrupts(name, folder):
    """Ctrl-C once, Ctrl-C twice, and the death of this process, while trials run."""

    def work(trial):
        (folder / f"{os.getpid()}").write_text(f"{trial.index}")
        time.sleep(1 if trial.index < 2 else 1000)
        return trial.as_dict()

    def pids(count):
        while len(list(folder.iterdir())) < count:
            time.sleep(0.05)
        found = [int(p.name) for p in folder.iterdir()]
        for path in folder.iterdir():
            path.unlink()
        return found

    def ctrl_c(times):
        found.extend(pids(2))
        for _ in range(times):
            os.killpg(0, signal.SIGINT)  # as a terminal does
            time.sleep(0.3)

    engine = make_engine(name, 2)
    for times, coming in ((1, trials(6)), (2, trials(6)[2:])):
        found, records = [], []
        thread = threading.Thread(target=ctrl_c, args=(times,))
        thread.start()
        try:
            Running(engine, work, records.append).run(coming)
        except KeyboardInterrupt:
            thread.join()
            keys = sorted(r["index"] for r in records)
            alive = [p for p in found if Path(f"/proc/{p}").exists()]
            print(json.dumps([keys, len(found), len(alive)]), flush=True)
    threading.Thread(
        target=Running(engine, work, print).run, args=(trials(6)[2:],), daemon=True
    ).start()
    print(json.dumps(pids(2)), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    {"deaths": deaths, "interrupts": interrupts}[sys.argv[1]](
        sys.argv[2], Path(sys.argv[3])
    )
