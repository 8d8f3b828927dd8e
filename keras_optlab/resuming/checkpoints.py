"""Checkpoints in a directory: written atomically, with checksums, the last few kept.

A checkpoint is one file of arrays, `<name>-<checksum>.npz`. It is written under a
temporary name, flushed to the disk and renamed, so a process that is killed leaves
either all of it or nothing.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

PREFIX, END = "epoch-", ".npz"
TEMPORARY, DAMAGED = ".writing", ".damaged"
STATE = "state"  # name of the array with the pickled state


class Damaged(Exception):
    """A checkpoint that cannot be read as it was written."""


class Checkpoints:
    """The checkpoints in a directory.

    Args:
        directory: The directory; created by the first write.
        keep: How many of the newest ones to keep; integer >= 1.
    """

    def __init__(self, directory: str | os.PathLike[str], keep: int) -> None:
        self.directory, self.keep = Path(directory), keep
        self._lock = FileLock(self.directory / ".lock", timeout=0)

    def lock(self) -> None:
        """Lock the directory for this process, until `release` or its end.

        Raises:
            RuntimeError: if another process has locked it.
            OSError: if the directory cannot be written.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise RuntimeError(
                "Another process trains with these checkpoints. Received: "
                f"directory={str(self.directory)!r}. Wait for it, or use another "
                "directory."
            ) from None

    def release(self) -> None:
        """Unlock the directory."""
        self._lock.release()

    def names(self) -> list[str]:
        """Return the file names of all checkpoints, the newest first."""
        if not self.directory.is_dir():
            return []
        found = [p.name for p in self.directory.glob(f"{PREFIX}*{END}")]
        return sorted(found, reverse=True)

    def write(self, name: str, state: Any, arrays: dict[str, np.ndarray]) -> None:
        """Write a checkpoint, and delete old ones.

        Args:
            name: Its name, with `PREFIX`; later ones must sort after earlier ones.
            state: A value to be pickled.
            arrays: Arrays by name.

        Raises:
            OSError: if it cannot be written; the earlier ones are still there.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        beside = self.directory / f"{name}{TEMPORARY}"
        try:
            with beside.open("wb") as file:
                np.savez(file, **_contents(state, arrays))  # pyright: ignore[reportArgumentType]
                file.flush()
                os.fsync(file.fileno())
            same = list(self.directory.glob(f"{name}-*{END}"))
            final = self.directory / f"{name}-{_checksum(beside)}{END}"
            beside.replace(final)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _flush_directory(self.directory)
        for path in same:
            if path != final:
                path.unlink(missing_ok=True)
        self._delete_old()

    def read_newest(
        self, tell: Callable[[str, Exception], None]
    ) -> tuple[Any, dict[str, np.ndarray]] | None:
        """Return state and arrays of the newest checkpoint that is whole, or `None`.

        Args:
            tell: Called with the name and the error of each damaged one. It is kept
                under another name.
        """
        for name in self.names():
            try:
                return self.read(name)
            except (Damaged, OSError) as error:
                tell(name, error)
                path = self.directory / name
                with contextlib.suppress(OSError):
                    path.replace(path.with_suffix(DAMAGED))
        return None

    def read(self, name: str) -> tuple[Any, dict[str, np.ndarray]]:
        """Return the state and the arrays of a checkpoint.

        Raises:
            Damaged: if the file differs from what was written.
        """
        path = self.directory / name
        if _checksum(path) != path.stem.rpartition("-")[2]:
            raise Damaged("its checksum is another one")
        with np.load(path, allow_pickle=False) as file:
            state, dtypes = pickle.loads(file[STATE].tobytes())
            return state, {k: _typed(file[k], dtype) for k, dtype in dtypes.items()}

    def _delete_old(self) -> None:
        old = [self.directory / name for name in self.names()[self.keep :]]
        for path in [
            *old,
            *self.directory.glob(f"*{TEMPORARY}"),
        ]:  # of a killed process
            path.unlink(missing_ok=True)


def _contents(state: Any, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of a file, with the state and their types among them."""
    pickled = pickle.dumps((state, {k: x.dtype for k, x in arrays.items()}))
    return {STATE: np.frombuffer(pickled, "uint8")} | {
        k: _as_integers(x) for k, x in arrays.items()
    }


def _as_integers(x: np.ndarray) -> np.ndarray:
    """Return bfloat16 and other types that NumPy's files do not know as integers."""
    return x.view(f"u{x.dtype.itemsize}") if x.dtype.kind == "V" else x


def _typed(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return x.view(dtype) if x.dtype != dtype else x


def _checksum(path: Path) -> str:
    total = 0
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            total = zlib.crc32(part, total)
    return f"{total:08x}"


def _flush_directory(path: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
