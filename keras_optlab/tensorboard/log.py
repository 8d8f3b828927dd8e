"""The log directory of a training, with a directory of event files per run."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_optlab.tensorboard.events import EventWriter


class Log:
    """A writer of the runs of one training, such as `train` and `validation`.

    An error of the file system, such as a full disk, does not end the training: it
    gives one warning, and nothing more is written until the next `open`.

    Args:
        directory: directory that `tensorboard --logdir` is pointed at; local.

    Raises:
        TypeError: if the directory is not a path.
        ValueError: if it is a URL such as `gs://...`.

    Warns:
        UserWarning: once after each `open`, if it cannot be written.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        if not isinstance(directory, str | os.PathLike):
            raise TypeError(
                f"`log_dir` must be a path. Received: log_dir={directory!r}"
            )
        if "://" in os.fspath(directory):
            raise ValueError(
                "`log_dir` must be on a local or mounted file system. "
                f"Received: log_dir={directory!r}. Write to a local directory and copy "
                "it, or mount the remote one."
            )
        self.directory = Path(directory)
        self._writers: dict[str, EventWriter] = {}

    def open(self, run: str) -> None:
        """Open the log and this run; other runs are opened at their first value."""
        self.close()
        self._try(lambda: self._writer(run))

    def write(self, run: str, values: Sequence[Any], step: int) -> None:
        """Write values, as the functions of `summaries` return them.

        Args:
            run: Name of the run; `""` is the directory itself.
            values: The values; they are dropped while the log is closed.
            step: Position on the x-axis.
        """
        if self._writers and values:
            self._try(lambda: self._writer(run).write(values, step))

    def close(self) -> None:
        """Close the files of all runs."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _writer(self, run: str) -> EventWriter:
        if run not in self._writers:
            self._writers[run] = EventWriter(self.directory / run)
        return self._writers[run]

    def _try(self, write: Callable[[], Any]) -> None:
        try:
            write()
        except OSError as error:
            self.close()
            warnings.warn(
                f"TensorBoard: writing to {str(self.directory)!r} failed ({error}). "
                "Training goes on, but is no longer logged. Free disk space, allow "
                "writing, or pass another `log_dir`; the next `fit` logs again.",
                stacklevel=2,
            )
