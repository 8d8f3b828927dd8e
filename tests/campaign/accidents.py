"""Trainings that meet accidents, and must end as if they had not.

    python -m tests.campaign.accidents --kills 100 --backend tensorflow
    python -m tests.campaign.accidents --kills 40 --accidents full_disk error

Each training in `trainings.py` runs once without interruption. Then it is started in a
process of its own, meets an accident at a random moment, and is started again, each
time with another random seed, until it ends. Weights, history, the reason for stopping,
the rows of `CSVLogger` and the curves in TensorBoard must equal those of the first run,
bit for bit. Checkpoints are written every three batches, so many accidents hit a write.
After each accident, all event files must be readable.

Accidents: the signals `kill`, `term` and `int` from outside, and those of
`mishaps.py` inside of the training. Where a disk was full or read-only, the curves and
rows may have gaps, so these are not compared. Such a disk needs the right to mount.
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

from tests.campaign import mishaps

ROOT = Path(__file__).parents[2]
NOT_COMPARED = "throughput/", "time/"  # clocks
BATCHES = 60  # among the first of which a mishap comes
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}


def train(name, path, seed, accident, at):
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
    mishap = [mishaps.Mishap(accident, at, path)] if accident else []
    history = model.fit(
        **data,
        epochs=EPOCHS,
        verbose=0,
        callbacks=[*callbacks, resume, begin, *mishap],
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


def start(name, path, backend, seed, accident=None, at=0):
    """Start a training in a process of its own."""
    command = [sys.executable, "-m", "tests.campaign.accidents"]
    command += ["--train", name, "--path", str(path), "--seed", str(seed)]
    command += ["--mishap", accident, "--at", str(at)] if accident else []
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


def run_with_accidents(name, path, backend, accidents, seconds, moments):
    """Run a training that meets these accidents; return how many it met."""
    path.mkdir(exist_ok=True)
    met, left = 0, list(accidents)
    while True:
        accident = left[0] if left else None
        inside = accident if accident in mishaps.MISHAPS else None
        seed, at = moments.getrandbits(31), moments.randrange(1, BATCHES)
        begun = path / "begun"
        before = begun.stat().st_mtime_ns if begun.exists() else None
        process = start(name, path, backend, seed, inside, at)
        if accident in SIGNALS:
            while process.poll() is None and not _began(begun, before):
                time.sleep(0.005)
            hit = _hit(process, moments.uniform(0, seconds / len(left)), accident)
        else:
            hit = bool(process.wait()) and inside is not None
            hit = hit or (path / "mishap").exists()
        mishaps.repair(path)
        (path / "mishap").unlink(missing_ok=True)
        if process.returncode and not hit:
            raise RuntimeError((path / "output.txt").read_text())
        if not hit:
            return met
        met += 1
        left.pop(0)
        curves(path / "logs")  # raises if a file is damaged
        if not process.returncode:
            return met


def _began(begun, before):
    return begun.exists() and begun.stat().st_mtime_ns != before


def _hit(process, seconds, accident):
    """Send a signal after some seconds; return whether the process had not ended."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(SIGNALS[accident])
        process.wait()
        return process.returncode != 0
    return False


def differences(path, other, gaps=False):
    """Return what differs between the results of two runs.

    With `gaps`, rows and curves may lack values.
    """
    found = []
    for file in "weights.npz", "optimizer.npz":
        with np.load(path / file) as a, np.load(other / file) as b:
            if not all(np.array_equal(a[k], b[k], equal_nan=True) for k in a.files):
                found.append(file)
    a, b = (json.loads((p / "result.json").read_text()) for p in (path, other))
    found += [k for k in a if not same(a[k], b[k])]
    if gaps:
        return [k for k in found if k not in ("rows", "validations")]
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


def campaign(names, backend, kinds, count, seed):
    """Have accidents, print what happened, and return whether all ended equal."""
    moments, failed, total = random.Random(seed), 0, 0
    per_run = -(-count // len(names))
    for name in names:
        per_this = min(per_run, count - total)
        drawn = [moments.choice(kinds) for _ in range(per_this)]
        with tempfile.TemporaryDirectory() as directory:
            path, other = Path(directory) / "whole", Path(directory) / "other"
            seconds = run_through(name, path, backend)
            met, found = 0, []
            while met < per_this and not found:
                left = drawn[met:]
                with mishaps.small_disk(other, any(k in mishaps.OF_DISK for k in left)):
                    met += run_with_accidents(
                        name, other, backend, left, seconds, moments
                    )
                    found = differences(path, other, gaps=set(left) & mishaps.OF_DISK)
                shutil.rmtree(other, ignore_errors=True)
        total, failed = total + met, failed + bool(found)
        outcome = f"differs in {', '.join(found)}" if found else "equal"
        print(f"{name:14} {', '.join(drawn[:met])}: {outcome}", flush=True)
    print(f"{backend}: {total} accidents, {len(names)} trainings, {failed} differ")
    return not failed


def main():
    from tests.campaign.trainings import TRAININGS

    kinds = [*SIGNALS, *mishaps.MISHAPS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("KERAS_BACKEND", "tensorflow")
    parser.add_argument("--kills", type=int, default=12, help="default: %(default)s")
    parser.add_argument("--accidents", nargs="+", choices=kinds, default=["kill"])
    parser.add_argument("--backend", default=default, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", nargs="+", choices=TRAININGS, help="trainings")
    parser.add_argument("--train", help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--mishap", help=argparse.SUPPRESS)
    parser.add_argument("--at", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.train:
        # a shell starts processes in the background with this signal ignored
        signal.signal(signal.SIGINT, signal.default_int_handler)
        train(args.train, args.path, args.seed, args.mishap, args.at)
        return
    names = args.only or list(TRAININGS)[: max(1, args.kills)]
    if not campaign(names, args.backend, args.accidents, args.kills, args.seed):
        sys.exit(1)


if __name__ == "__main__":
    main()
