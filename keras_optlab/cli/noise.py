"""What worker processes write to standard error, without the chatter of backends."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

from rich.text import Text

from keras_optlab.cli import console

CHATTER = re.compile(  # of C++ code: information and warnings, as it logs them
    r"WARNING: All log messages before absl|[IW]\d{4,} |"
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "
)


@contextlib.contextmanager
def filtered() -> Iterator[None]:
    """Print what arrives at standard error above a progress bar, without chatter.

    Processes that are started in the meantime have the filtered one.
    """
    if not _is_real():
        yield
        return
    screen = os.dup(2)
    out_end, in_end = os.pipe()
    os.dup2(in_end, 2)
    os.close(in_end)
    with os.fdopen(screen, "w", errors="replace", closefd=False) as to_screen:
        console.errors.file = to_screen
        reader = os.fdopen(out_end, errors="replace")
        threading.Thread(target=_pass_on, args=(reader,), daemon=True).start()
        try:
            yield
        finally:
            to_screen.flush()
            console.errors.file = sys.stderr
            os.dup2(screen, 2)
    os.close(screen)


def _is_real() -> bool:
    """Return whether Python's standard error is that of the process."""
    try:
        return sys.stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):
        return False


def _pass_on(reader: TextIO) -> None:
    with reader:
        for line in reader:
            if not CHATTER.match(line):
                console.errors.print(Text(line.rstrip("\n")), soft_wrap=True)
