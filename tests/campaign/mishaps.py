"""What goes wrong inside of a training, or with its disk, in `accidents.py`."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

OF_DISK = {"full_disk", "read_only"}
SIZE = "24m"  # of a small disk


def error(path: Path) -> None:  # noqa: ARG001
    """An error in a callback of the user."""
    raise RuntimeError("an accident")


def memory(path: Path) -> None:  # noqa: ARG001
    """More memory than there is."""
    np.ones(2**60, "uint8")


def limit(path: Path) -> None:  # noqa: ARG001
    """No more memory for the rest of the process, in kernels too."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * os.sysconf("SC_PAGE_SIZE") + 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))


def crash(path: Path) -> None:  # noqa: ARG001
    """The end of the process, as after a fault of the system or a lack of memory."""
    os.abort()


def clock(path: Path) -> None:  # noqa: ARG001
    """A clock that is set an hour back, and later on two hours ahead."""
    now, begin = time.time, time.time()
    shifts = iter([-3600.0, 7200.0] * 10_000)
    shift = {"at": begin, "by": next(shifts)}

    def jumping() -> float:
        if now() - shift["at"] > 0.05:
            shift.update(at=now(), by=next(shifts))
        return now() + shift["by"]

    time.time = jumping


def slow_disk(path: Path) -> None:  # noqa: ARG001
    """A disk that takes long to write."""
    write = os.fsync

    def slow(file: Any) -> None:
        time.sleep(0.05)
        write(file)

    os.fsync = slow


def full_disk(path: Path) -> None:
    """No space left for the rest of the training."""
    with contextlib.suppress(OSError), (path / "filler").open("wb", buffering=0) as f:
        while True:
            f.write(bytes(4096))


def read_only(path: Path) -> None:
    """No right to write for the rest of the training."""
    subprocess.run(["mount", "-o", "remount,ro", path], check=True)


MISHAPS = {
    f.__name__: f
    for f in (error, memory, limit, crash, clock, slow_disk, full_disk, read_only)
}


class Mishap(keras.callbacks.Callback):
    """Has something go wrong after some batches of this process.

    Args:
        name: What.
        at: The batch.
        path: The folder of the training.
    """

    def __init__(self, name: str, at: int, path: Path) -> None:
        super().__init__()
        self.name, self.left, self.path = name, at, path

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.left -= 1
        if self.left == 0:
            (self.path / "mishap").touch()
            MISHAPS[self.name](self.path)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        repair(self.path)  # for the result


def repair(path: Path) -> None:
    """Make the disk as it was."""
    if os.path.ismount(path):
        subprocess.run(["mount", "-o", "remount,rw", path], check=True)
    (path / "filler").unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(path: Path, wanted: bool) -> Iterator[None]:
    """Have a small file system of its own at a path, if it is wanted."""
    path.mkdir()
    if not wanted:
        yield
        return
    options = ["-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs"]
    subprocess.run(["mount", *options, path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)
