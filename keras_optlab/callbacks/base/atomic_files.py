"""Files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable


def write_beside(save: Callable[..., None], path: str) -> None:
    """Write a file beside the one that is there, then put it in its place at once.

    Whatever ends the writing, such as a full disk, leaves the file that was there. If
    `save` writes several files of its own, such as the shards of large weights, the one
    that is asked for is put in place last.

    Args:
        save: Writes a file, given its path and `overwrite=True`.
        path: Where it is to be. Of a remote one, such as `gs://...`, no more is known
            than `save` does.

    Raises:
        OSError: if the directory cannot be written.
        Exception: whatever `save` raises.
    """
    if "://" in path:
        save(path, overwrite=True)
        return
    target = os.path.realpath(path)  # of a link: what it leads to
    directory, name = os.path.split(target)
    if os.path.isdir(target):
        raise IsADirectoryError(f"`filepath` is a directory. Received: {path!r}")
    try:
        os.makedirs(directory, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=directory) as beside:
            save(os.path.join(beside, name), overwrite=True)
            for file in sorted(os.listdir(beside), key=lambda file: file == name):
                os.replace(os.path.join(beside, file), os.path.join(directory, file))
    except Exception as error:
        error.add_note(f"A file that was at {path!r} before is still there.")
        raise
