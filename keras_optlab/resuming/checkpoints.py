"""Checkpoints in a directory: written atomically, with checksums, the last few kept.

Each checkpoint is a directory with the files `state.pkl`, `arrays.npz` and
`manifest.json`. It is written under a temporary name, flushed to the disk and renamed,
so a process that is killed leaves either all of it or nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

MANIFEST, PICKLE, ARRAYS = "manifest.json", "state.pkl", "arrays.npz"
PREFIX = "epoch-"
TEMPORARY, DAMAGED = ".writing", ".damaged"


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
        """Return the names of all checkpoints, the newest first."""
        if not self.directory.is_dir():
            return []
        found = [p.name for p in self.directory.glob(f"{PREFIX}*") if not p.suffix]
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
        final = self.directory / name
        beside = final.with_suffix(TEMPORARY)
        self.directory.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        try:
            self._write_files(beside, name, state, arrays)
            if final.exists():
                shutil.rmtree(final)
            beside.rename(final)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        _flush_directory(self.directory)
        self._delete_old()

    def read_newest(
        self, tell: Callable[[str, Exception], None]
    ) -> tuple[Any, dict[str, np.ndarray]] | None:
        """Return the newest checkpoint that is not damaged, or `None`.

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
                    shutil.rmtree(path.with_suffix(DAMAGED), ignore_errors=True)
                    path.rename(path.with_suffix(DAMAGED))
        return None

    def read(self, name: str) -> tuple[Any, dict[str, np.ndarray]]:
        """Return the state and the arrays of a checkpoint.

        Raises:
            Damaged: if a file is missing or differs from what was written.
        """
        path = self.directory / name
        try:
            checksums = json.loads((path / MANIFEST).read_text())["checksums"]
            wrong = [k for k, x in checksums.items() if _checksum(path / k) != x]
            if wrong or checksums.keys() != {PICKLE, ARRAYS}:
                raise Damaged(f"checksum of {', '.join(wrong) or MANIFEST}")
            with (path / PICKLE).open("rb") as file:
                state = pickle.load(file)
            with np.load(path / ARRAYS, allow_pickle=False) as file:
                dtypes = state["dtypes"]
                arrays = {k: _typed(file[k], dtypes[k]) for k in dtypes}
        except Damaged:
            raise
        except Exception as error:  # any file may be cut off or have other bytes
            raise Damaged(f"{type(error).__name__}: {error}") from error
        return state["state"], arrays

    def _write_files(
        self, path: Path, name: str, state: Any, arrays: dict[str, np.ndarray]
    ) -> None:
        dtypes = {k: x.dtype for k, x in arrays.items()}
        with (path / PICKLE).open("wb") as file:
            pickle.dump({"state": state, "dtypes": dtypes}, file)
            _flush(file)
        with (path / ARRAYS).open("wb") as file:
            np.savez(file, **{k: _bytes(x) for k, x in arrays.items()})  # pyright: ignore[reportArgumentType]
            _flush(file)
        checksums = {k: _checksum(path / k) for k in (PICKLE, ARRAYS)}
        with (path / MANIFEST).open("w") as file:
            json.dump({"name": name, "checksums": checksums}, file, indent=1)
            _flush(file)
        _flush_directory(path)

    def _delete_old(self) -> None:
        for name in self.names()[self.keep :]:
            shutil.rmtree(self.directory / name, ignore_errors=True)
        for path in self.directory.glob(f"*{TEMPORARY}"):  # of a killed process
            shutil.rmtree(path, ignore_errors=True)


def _bytes(x: np.ndarray) -> np.ndarray:
    """Return an array whose type NumPy's files know: bfloat16 as integers."""
    return x.view(f"u{x.dtype.itemsize}") if x.dtype.kind == "V" else x


def _typed(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return x.view(dtype) if x.dtype != dtype else x


def _checksum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            total = zlib.crc32(part, total)
    return total


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_directory(path: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
