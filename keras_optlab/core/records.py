"""Records of TFRecord files, such as event files, with their checksums."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

HEAD, TAIL = 12, 4  # bytes of a record: its length with a checksum; a checksum


def framed(data: bytes) -> bytes:
    """Return the record of some data."""
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def records(file: Path) -> Iterator[bytes]:
    """Yield the records of an event file, as far as it was written.

    Warns:
        UserWarning: if a record is damaged. Those behind it cannot be read.
    """
    size, at = file.stat().st_size, 0
    with open(file, "rb") as stream:
        while len(head := stream.read(HEAD)) == HEAD:
            length = struct.unpack("<Q", head[:8])[0]
            intact = head[8:] == _checksum(head[:8])
            if intact and at + HEAD + length + TAIL > size:
                return  # it is being written, or the process ended while it was
            data, checksum = (stream.read(n) if intact else b"" for n in (length, TAIL))
            if not intact or checksum != _checksum(data):
                warnings.warn(
                    f"{str(file)!r} is damaged at byte {at}. What it holds before is "
                    "read; the rest is lost.",
                    stacklevel=2,
                )
                return
            at += HEAD + length + TAIL
            yield data


def _checksum(data: bytes) -> bytes:
    """Return the checksum of TFRecord files: CRC-32C, rotated and shifted."""
    import google_crc32c

    crc = google_crc32c.value(data)
    rotated = crc >> 15 | crc << 17
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)
