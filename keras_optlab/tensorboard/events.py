"""Event files, written with the `tensorboard` package and without TensorFlow.

`tensorboard.summary.writer.EventFileWriter` is not used: it imports TensorFlow if that
is installed, and it writes in a thread that dies with a traceback on a full disk. Its
checksums are in pure Python and take longer than everything else.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_optlab.core.records import framed
from keras_optlab.tensorboard.summaries import describe


class EventWriter:
    """A writer of one event file, which holds the data of one run.

    Each call writes one record and flushes it: TensorBoard can read the file during
    training, and a crash loses nothing that was written before.

    Args:
        directory: the run's directory, on a local file system; created if missing.

    Raises:
        OSError: if the file cannot be created; later, if it cannot be written.

    Example:
        >>> import tempfile
        >>> from keras_optlab.tensorboard import summaries
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     writer = EventWriter(directory)
        ...     writer.write(summaries.scalars({"epoch/loss": 0.5}), step=0)
        ...     writer.close()
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._described: set[str] = set()
        # TensorBoard reads the files of a directory in the order of their names.
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        name = (
            f"events.out.tfevents.{seconds:010d}.{socket.gethostname()}.{os.getpid()}."
            f"{nanoseconds:09d}"
        )
        Path(directory).mkdir(parents=True, exist_ok=True)
        self._file = open(Path(directory) / name, "xb")  # noqa: SIM115
        self._append(file_version="brain.Event:2")

    def write(self, values: Sequence[Any], step: int) -> None:
        """Write values, as the functions of `summaries` return them, at a step.

        The first value of each tag is written with a description.
        """
        from tensorboard.compat.proto.summary_pb2 import Summary

        new = [x for x in values if x.tag not in self._described]
        for value in new:
            describe(value)
        self._described.update(x.tag for x in new)
        self._append(step=step, summary=Summary(value=values))

    def start(self, step: int) -> None:
        """Write the start of a session, whose first step this is.

        At the second one of a run and later ones, TensorBoard drops what it has read
        of this and later steps.
        """
        from tensorboard.compat.proto.event_pb2 import SessionLog

        self._append(step=step, session_log=SessionLog(status=SessionLog.START))

    def close(self) -> None:
        """Close the file; everything in it is on disk already."""
        with contextlib.suppress(OSError):  # a failed write was reported already
            self._file.close()

    def _append(self, **event: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        data = Event(wall_time=time.time(), **event).SerializeToString()
        self._file.write(framed(data))
        self._file.flush()


def event_files(directory: Path) -> list[Path]:
    """Return the event files of a run, oldest first; `[]` if there is no directory."""
    return sorted(directory.glob("events.out.tfevents.*"))
