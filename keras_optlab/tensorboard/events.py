"""Event files, written with the `tensorboard` package alone.

`tensorboard.summary.writer.EventFileWriter` would do, but imports TensorFlow wherever
it is installed, and writes in a thread of its own that a full disk ends with a
traceback. So the records are packed by TensorBoard's `RecordWriter` and written here.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class EventWriter:
    """Writes one event file: what there is to see of one run.

    Every call writes one block and flushes it, so TensorBoard reads along, and a crash
    loses nothing that was written before.

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
        # Within a directory TensorBoard reads the files in the order of their names.
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        name = (
            f"events.out.tfevents.{seconds:010d}.{socket.gethostname()}.{os.getpid()}."
            f"{nanoseconds:09d}"
        )
        Path(directory).mkdir(parents=True, exist_ok=True)
        self._file = open(Path(directory) / name, "xb")  # noqa: SIM115
        self._append(file_version="brain.Event:2")

    def write(self, values: Sequence[Any], step: int) -> None:
        """Write what the functions of `summaries` return."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._append(step=step, summary=Summary(value=values))

    def close(self) -> None:
        """Close the file; everything in it is on disk already."""
        with contextlib.suppress(OSError):  # of a write that failed and was reported
            self._file.close()

    def _append(self, **event: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        block = io.BytesIO()
        message = Event(wall_time=time.time(), **event)
        RecordWriter(block).write(message.SerializeToString())
        self._file.write(block.getvalue())
        self._file.flush()
