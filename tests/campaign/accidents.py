"""Trainings that are killed at random moments, and must end as if they had not been.

    python -m tests.campaign.accidents --kills 100 --backend tensorflow

Each training in `trainings.py` runs once without interruption. Then it is started in a
process of its own, killed by SIGKILL at a random moment, and started again, each time
with another random seed, until it ends. Weights, history, the reason for stopping, the
rows of `CSVLogger` and the curves in TensorBoard must equal those of the first run, bit
for bit. Checkpoints are written every three batches, so many kills hit a write.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
NOT_COMPARED = "throughput/", "time/"  # clocks


def train(name, path, seed):
    """Run a training to its end and write what it ended in."""
    import keras

    import keras_optlab as kol
    from tests.campaign.trainings import EPOCHS, TRAININGS

    # a file that was being written when the process was killed is no checkpoint
    saved = list((path / "checkpoints").glob("epoch-*.npz"))
    keras.utils.set_random_seed(seed if saved else 0)
    if not saved:  # it begins anew, and its log would go to another directory
        shutil.rmtree(path / "logs", ignore_errors=True)
    model, data, callbacks = TRAININGS[name](path)
    resume = kol.callbacks.Resume(path / "checkpoints", every=3)
    begin = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: (path / "begun").touch()  # noqa: ARG005
    )
    history = model.fit(
        **data, epochs=EPOCHS, verbose=0, callbacks=[*callbacks, resume, begin]
    )
    result = {
        "history": history.history,
        "epochs": history.epoch,
        "reason": getattr(history, "reason", None),
        "stopped": [getattr(c, "stopped_epoch", None) for c in callbacks],
        "rows": [getattr(c, "rows", None) for c in callbacks],
        "validations": [getattr(c, "history", None) for c in callbacks],
    }
    np.savez(path / "weights.npz", *model.get_weights())
    state = [
        np.asarray(keras.ops.convert_to_numpy(v)) for v in model.optimizer.variables
    ]
    np.savez(path / "optimizer.npz", *state)
    (path / "result.json").write_text(json.dumps(result, default=float))


def start(name, path, backend, seed):
    """Start a training in a process of its own."""
    command = [sys.executable, "-m", "tests.campaign.accidents"]
    command += ["--train", name, "--path", str(path), "--seed", str(seed)]
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with (path / "output.txt").open("a") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output
        )


def run_through(name, path, backend):
    """Run a training without interruption; return the seconds from its first batch."""
    path.mkdir()
    process = start(name, path, backend, 0)
    while not (path / "begun").exists() and process.poll() is None:
        time.sleep(0.01)
    began = time.monotonic()
    if process.wait():
        raise RuntimeError((path / "output.txt").read_text())
    return time.monotonic() - began


def run_with_kills(name, path, backend, kills, seconds, moments):
    """Run a training that is killed some times; return how often it was."""
    path.mkdir()
    killed = 0
    while True:
        begun = path / "begun"
        before = begun.stat().st_mtime_ns if begun.exists() else None
        process = start(name, path, backend, moments.getrandbits(31))
        if killed == kills:
            if process.wait():
                raise RuntimeError((path / "output.txt").read_text())
            return killed
        while process.poll() is None:
            if begun.exists() and begun.stat().st_mtime_ns != before:
                break
            time.sleep(0.005)
        try:
            process.wait(timeout=moments.uniform(0, seconds / max(1, kills - killed)))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            continue
        if process.returncode:
            raise RuntimeError((path / "output.txt").read_text())
        return killed


def differences(path, other):
    """Return what differs between the results of two runs."""
    found = []
    for file in "weights.npz", "optimizer.npz":
        with np.load(path / file) as a, np.load(other / file) as b:
            if not all(np.array_equal(a[k], b[k], equal_nan=True) for k in a.files):
                found.append(file)
    a, b = (json.loads((p / "result.json").read_text()) for p in (path, other))
    found += [k for k in a if not same(a[k], b[k])]
    for file in path.glob("*.csv"):
        if file.read_text() != (other / file.name).read_text():
            found.append(file.name)
    if (path / "logs").exists() and curves(path / "logs") != curves(other / "logs"):
        found.append("curves")
    return found


def same(a, b):
    """Return whether two results are equal, apart from clocks."""
    if isinstance(a, dict):
        a, b = (
            {k: x for k, x in d.items() if not str(k).startswith(NOT_COMPARED)}
            for d in (a, b)
        )
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)  # noqa: PLR0124


def curves(path):
    """Return the scalars that TensorBoard shows, by run and tag."""
    from tensorboard.backend.event_processing import plugin_event_multiplexer

    runs = plugin_event_multiplexer.EventMultiplexer(
        tensor_size_guidance={"tensors": 0}
    )
    runs.AddRunsFromDirectory(str(path))
    runs.Reload()
    found = {}
    for run, names in runs.Runs().items():
        for tag in names["tensors"]:
            metadata = runs.SummaryMetadata(run, tag)
            if metadata.plugin_data.plugin_name != "scalars":
                continue
            if not tag.startswith(NOT_COMPARED):
                found[run, tag] = [
                    (e.step, e.tensor_proto.SerializeToString())
                    for e in runs.Tensors(run, tag)
                ]
    return found


def campaign(names, backend, kills, seed):
    """Kill trainings, print what happened, and return whether all ended equal."""
    moments, failed, total = random.Random(seed), 0, 0
    per_run = -(-kills // len(names))
    for name in names:
        per_this = min(per_run, kills - total)
        with tempfile.TemporaryDirectory() as directory:
            path, other = Path(directory) / "whole", Path(directory) / "killed"
            seconds = run_through(name, path, backend)
            killed = run_with_kills(name, other, backend, per_this, seconds, moments)
            while killed < per_this and not (found := differences(path, other)):
                shutil.rmtree(other)  # it ended before the last kill
                killed += run_with_kills(
                    name, other, backend, per_this - killed, seconds, moments
                )
            found = differences(path, other)
        total, failed = total + killed, failed + bool(found)
        outcome = f"differs in {', '.join(found)}" if found else "equal"
        print(f"{name:14} {killed:3} kills  {outcome}", flush=True)
    print(f"{backend}: {total} kills, {len(names)} trainings, {failed} differ")
    return not failed


def main():
    from tests.campaign.trainings import TRAININGS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("KERAS_BACKEND", "tensorflow")
    parser.add_argument("--kills", type=int, default=12, help="default: %(default)s")
    parser.add_argument("--backend", default=default, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", nargs="+", choices=TRAININGS, help="trainings")
    parser.add_argument("--train", help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.train:
        train(args.train, args.path, args.seed)
        return
    names = args.only or list(TRAININGS)[: max(1, args.kills)]
    if not campaign(names, args.backend, args.kills, args.seed):
        sys.exit(1)


if __name__ == "__main__":
    main()
