"""Records in a file: JSON lines that survive a killed process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Records(Mapping[str, Record]):
    """Records in a file of JSON lines, by their key.

    A line is on the disk when `add` returns. A line that was torn by a crash is cut off
    when the file is opened. The last record of a key counts.

    Args:
        path: The file; it is made if there is none.
        write: Whether records will be added. Otherwise the file is not changed.

    Raises:
        OSError: if the file cannot be read or written.
        ValueError: if a line is no record.
    """

    def __init__(self, path: Path, write: bool = True) -> None:
        self.path = path
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if write and len(whole) < len(content):
            with path.open("rb+") as file:
                file.truncate(len(whole))
        self._by_key = {}
        for number, line in enumerate(whole.splitlines(), 1):
            record = self._read(number, line)
            self._by_key[record["key"]] = record

    def _read(self, number: int, line: bytes) -> Record:
        try:
            record = json.loads(line)
            record["key"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"line {number} of {self.path} is no record of a trial. Received: "
                f"{line[:80]!r}. Delete the line; its trial will be run again."
            ) from error
        return record

    def add(self, record: Record) -> None:
        """Append a record, and wait until it is on the disk.

        Raises:
            OSError: if that fails, as on a full disk; the file is then as before.
        """
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with self.path.open("ab") as file:
            size = file.tell()
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, size)
                raise
        self._by_key[record["key"]] = record

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __getitem__(self, key: str) -> Record:
        return self._by_key[key]
