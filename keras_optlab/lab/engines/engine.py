"""`Engine`: where trials run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

Function = Callable[..., dict[str, Any]]


class WorkerDied(RuntimeError):
    """The process of a trial ended before the trial did."""


class Engine(Protocol):
    """Where trials run.

    Attributes:
        workers: Number of trials that run at once.
        loses_all: Whether the death of one worker ends the trials of the others too.
        description: What it is, for the record of a study.
    """

    workers: int
    loses_all: bool
    description: dict[str, Any]

    def submit(self, function: Function, *arguments: Any) -> Future[dict[str, Any]]:
        """Start a function. Its future raises `WorkerDied` if its process ends."""
        ...

    def restart(self) -> None:
        """Have workers again after one has died."""
        ...

    def close(self) -> None:
        """End the trials that run. Workers may stay, for later ones."""
        ...
