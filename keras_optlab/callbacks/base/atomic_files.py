"""Atomic writes of files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable


def write_atomically(save: Callable[..., None], path: str) -> None:
    """Write a file to a temporary directory beside the target, then rename it.

    If writing fails, for instance on a full disk, the previous file stays. If `save`
    writes several files, such as the shards of large weights, `path` is replaced last.

    Args:
        save: Writes a file, given its path and `overwrite=True`.
        path: The target. A remote path, such as `gs://...`, is passed to `save` as it
            is, so that write is not atomic.

    Raises:
        OSError: if the directory cannot be written.
        Exception: whatever `save` raises.
    """
    if "://" in path:
        save(path, overwrite=True)
        return
    target = os.path.realpath(path)  # replaces the target of a link, not the link
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
        error.add_note(f"The previous file at {path!r}, if any, is still there.")
        raise
