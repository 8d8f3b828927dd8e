"""`Interrupts`: the first Ctrl-C asks to end, the second ends at once."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

MESSAGE = "Stopping after the trials that run. Ctrl-C again: at once."


class Interrupts:
    """A context in which the first Ctrl-C is only noted, and a message printed.

    A `KeyboardInterrupt` may be raised anywhere, such as between the end of a trial and
    its record. A second Ctrl-C raises it. Outside of the main thread, which gets the
    signals, the context does nothing.

    Attributes:
        asked: Whether there was a Ctrl-C.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print(MESSAGE, file=sys.stderr, flush=True)
