"""Damaged checkpoints and event files: what reads them goes on, or refuses clearly.

    python -m tests.campaign.damage --count 200

A short training with `Resume` and `TensorBoard` is stopped in the middle. Its files are
copied, some are damaged at random, and then the training goes on to its end and
`diagnose` reads the log. The weights must equal those of an undamaged training, bit for
bit, since each checkpoint holds all that the rest of the training needs; if no
checkpoint is left, the training starts anew, to the same end. `diagnose` may refuse the
log with `Received`.
"""

from __future__ import annotations

import argparse
import collections
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_optlab as kol
from tests.campaign.random.draw import Draw

EPOCHS, STOP = 6, 4
X = np.random.default_rng(0).normal(size=(48, 6)).astype("float32")
WAYS = ("cut", "flip", "empty", "missing", "longer", "zeros", "noise", "swapped")


class Stop(keras.callbacks.Callback):
    """Ends the process of a training, as far as its files can tell."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        if epoch == STOP - 1:
            raise KeyboardInterrupt


def train(folder: Path, stopped: bool = False) -> list[np.ndarray]:
    """Train to the end, or to the middle; return the weights."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    model.add(keras.layers.Dense(1))
    model.compile(kol.optimizers.AdamW(kol.schedules.Cosine(0.01)), "mse")
    callbacks = [
        kol.callbacks.TensorBoard(folder / "logs", every=2),
        kol.callbacks.Resume(folder / "checkpoints", every=2, verbose=0),
    ]
    callbacks += [Stop()] if stopped else []
    try:
        model.fit(X, X[:, :1], epochs=EPOCHS, verbose=0, callbacks=callbacks)
    except KeyboardInterrupt:
        if not stopped:
            raise
    return model.get_weights()


def damage(path: Path, way: str, draw: Draw, other: Path) -> None:
    """Damage a file."""
    content = path.read_bytes()
    at = draw.random.randrange(max(1, len(content)))
    if way == "missing":
        path.unlink()
    elif way == "swapped":
        path.write_bytes(other.read_bytes())
    elif way == "flip" and content:
        flipped = bytes([content[at] ^ 1 << draw.random.randrange(8)])
        path.write_bytes(content[:at] + flipped + content[at + 1 :])
    else:
        path.write_bytes(
            {
                "cut": content[:at],
                "longer": content + b"more",
                "zeros": bytes(len(content)),
                "noise": draw.random.randbytes(len(content)),
            }.get(way, b"")
        )


def outcome(source: Path, folder: Path, draw: Draw, whole: list[np.ndarray]) -> str:
    """Return how a training with damaged files ended."""
    shutil.copytree(source, folder)
    files = [p for p in folder.rglob("*") if p.is_file()]
    for path in draw.some(files, 3) or files[:1]:
        damage(path, draw.one(WAYS), draw, draw.one(sorted(source.rglob("*.npz"))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            weights = train(folder)
        except Exception as error:  # noqa: BLE001  # any failure is judged
            return f"the training failed: {type(error).__name__}: {error}"
        if not all(map(np.array_equal, weights, whole)):
            return "the training ended elsewhere"
        try:
            kol.diagnose(folder / "logs")
        except Exception as error:  # noqa: BLE001  # any failure is judged
            if "Received" not in str(error):
                return f"diagnose failed: {type(error).__name__}: {error}"
            return "survived, the log is refused"
    return "survived"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    args = parser.parse_args()
    ends: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "source"
        whole = train(Path(directory) / "whole")
        train(source, stopped=True)
        for seed in range(args.first, args.first + args.count):
            folder = Path(directory) / "damaged"
            end = outcome(source, folder, Draw(f"damage {seed}"), whole)
            known = end.startswith("survived")
            ends[end if known else "faults"] += 1
            if not known:
                print(f"seed {seed}: {end}", flush=True)
            shutil.rmtree(folder)
            keras.backend.clear_session()
    print(dict(ends))
    sys.exit(bool(ends["faults"]))


if __name__ == "__main__":
    main()
