"""A study that is killed again and again must end with the records of one left alone.

    python -m tests.campaign.studies --kills 10

A study of `lab.compare` runs once in a process of its own, with two workers. Then it is
run again, killed by SIGKILL at random moments and started again, until it ends. The
records must be equal but for clocks, and no worker may be left behind.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

ROOT = Path(__file__).parents[2]
CLOCKS = "seconds", "step_seconds", "first_seconds", "total_seconds"


def problem():
    """Return a regression that is trained in a second."""
    from keras_optlab import lab

    def model():
        hidden = [keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
        return keras.Sequential([keras.Input((4,)), *hidden])

    x = np.random.RandomState(0).normal(size=(400, 4)).astype("float32")
    y = np.sin(x.sum(axis=1, keepdims=True))
    return lab.Problem(model, (x, y), "mse", epochs=5)


def study(folder):
    """Run the study to its end."""
    from keras_optlab import lab

    reference = f"{Path(__file__)}:problem"
    names = ["sgd", "adam", "lion"]
    lab.compare(reference, names, trials=4, seeds=2, folder=folder, workers=2)


def start(folder):
    """Start the study in a process of its own, with its own group of processes."""
    command = [sys.executable, "-m", "tests.campaign.studies", "--folder", str(folder)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )


def children(pid):
    """Return the processes that a process has started."""
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(line) for line in found.stdout.split()]


def are_gone(pids, seconds=30):
    """Return whether all processes end within some seconds."""
    end = time.monotonic() + seconds
    while any(Path("/proc", str(pid)).exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def comparable(folder):
    """Return the records by their key, without clocks."""
    records = {}
    for line in Path(folder, "records.jsonl").read_text().splitlines():
        record = json.loads(line)
        for name in CLOCKS:
            record.pop(name, None)
        record.get("curve", {}).pop("seconds", None)
        if record.get("reached"):
            record["reached"].pop("seconds")
        records[record["key"]] = record
    return records


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        study(options.folder)
        return 0
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        whole, killed = Path(place, "whole"), Path(place, "killed")
        begun = time.monotonic()
        if start(whole).wait():
            return 1
        seconds = time.monotonic() - begun
        kills, orphans = 0, 0
        while True:
            process = start(killed)
            limit = rng.uniform(0.1, 0.6) * seconds if kills < options.kills else None
            try:
                if process.wait(limit):
                    return 1
                break
            except subprocess.TimeoutExpired:
                workers = children(process.pid)
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                orphans += not are_gone(workers)
        same = comparable(whole) == comparable(killed)
        print(
            f"{kills} kills, {len(comparable(killed))} records, "
            f"{'equal' if same else 'DIFFERENT'}; "
            f"workers left behind after {orphans} kills"
        )
        return int(not same or kills < options.kills or bool(orphans))


if __name__ == "__main__":
    sys.exit(main())
