"""The log directory of a training, with a directory of event files per run."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_optlab.core.errors import shown
from keras_optlab.tensorboard.events import EventWriter, event_files


class Log:
    """A writer of the runs of one training, such as `train` and `validation`.

    A training has a directory of its own: `directory`, or `directory/run-2` if that is
    in use, and so on. It is chosen at the first write, and kept.

    An error of the file system, such as a full disk, does not end the training: it
    gives one warning, and nothing more is written until the next `open`.

    Args:
        directory: directory that `tensorboard --logdir` is pointed at; local.
        runs: names of the runs; the directory is in use if one of these exists.

    Raises:
        TypeError: if the directory is not a path.
        ValueError: if it is a URL such as `gs://...`.

    Warns:
        UserWarning: once after each `open`, if it cannot be written.
    """

    def __init__(
        self, directory: str | os.PathLike[str], runs: Sequence[str] = ("train",)
    ) -> None:
        if not isinstance(directory, str | os.PathLike):
            raise TypeError(
                f"`log_dir` must be a path. Received: log_dir={shown(directory)}"
            )
        if "://" in os.fspath(directory):
            raise ValueError(
                "`log_dir` must be on a local or mounted file system. Received: "
                f"log_dir={shown(directory)}. Write to a local directory and copy it, "
                "or mount the remote one."
            )
        self.base, self.runs = Path(directory), tuple(runs)
        self.number: int | None = None  # of the training in `base`, from 1
        self._writers: dict[str, EventWriter] = {}
        self._restart: int | None = None
        self._is_open = False

    @property
    def directory(self) -> Path:
        """The directory of this training."""
        number = self.number or 1
        return self.base if number == 1 else self.base / f"run-{number}"

    def open(self, restart: int | None = None) -> None:
        """Open the log; runs are opened at their first value.

        Args:
            restart: First step that is written now, if a training resumes: TensorBoard
                drops what it has read of this and later steps.
        """
        self.close()
        self._is_open, self._restart = True, restart
        self._try(self._choose)

    def write(self, run: str, values: Sequence[Any], step: int) -> None:
        """Write values, as the functions of `summaries` return them.

        Args:
            run: Name of the run.
            values: The values; they are dropped while the log is closed.
            step: Position on the x-axis.
        """
        if self._is_open and values:
            self._try(lambda: self._writer(run).write(values, step))

    def close(self) -> None:
        """Close the files of all runs."""
        for writer in self._writers.values():
            writer.close()
        self._writers, self._is_open = {}, False

    def get_state(self) -> dict[str, Any]:
        """Return the number of this training, and the sizes of its files."""
        self._try(self._choose)
        sizes = {
            run: {f.name: f.stat().st_size for f in event_files(self.directory / run)}
            for run in self.runs
        }
        return {"number": self.number, "sizes": sizes}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on in the directory of a saved training, without what was written later.

        Files are cut to their saved sizes, and later files are removed: the resumed
        training writes these points again.
        """
        self.close()
        self.number = state["number"]
        self._try(lambda: self._cut(state["sizes"]))

    def _choose(self) -> None:
        """Choose the first directory that no other training uses."""
        if self.number is not None:
            return
        self.number = 1
        while not self._claim():
            self.number += 1

    def _claim(self) -> bool:
        """Create the directory of the first run; return whether it was free.

        Of two processes that begin at the same time, one creates it.
        """
        if any(event_files(self.directory / run) for run in self.runs):
            return False
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            (self.directory / self.runs[0]).mkdir()
        except FileExistsError:
            if not (self.directory / self.runs[0]).is_dir():
                raise
            return False
        return True

    def _cut(self, sizes: dict[str, dict[str, int]]) -> None:
        for run in self.runs:
            saved = sizes.get(run, {})
            for file in event_files(self.directory / run):
                if file.name not in saved:
                    file.unlink()
                elif file.stat().st_size > saved[file.name]:
                    os.truncate(file, saved[file.name])

    def _writer(self, run: str) -> EventWriter:
        if run not in self._writers:
            directory = self.directory / run
            first = not event_files(directory)
            self._writers[run] = writer = EventWriter(directory)
            if first or self._restart is not None:  # TensorBoard ignores the first one
                writer.start(0 if self._restart is None else self._restart)
        return self._writers[run]

    def _try(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except OSError as error:
            self.close()
            warnings.warn(
                f"TensorBoard: writing to {str(self.directory)!r} failed ({error}). "
                "Training goes on, but is no longer logged. Free disk space, allow "
                "writing, or pass another `log_dir`; the next `fit` logs again.",
                stacklevel=2,
            )
