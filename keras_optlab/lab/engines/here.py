"""Trials in this process, one after the other."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from keras_optlab.lab.engines.engine import Function


class Here:
    """An `Engine` of this process. A function has run when `submit` returns.

    It computes with the threads that the backend has already; `run_trial` records them.
    """

    workers = 1
    loses_all = True

    def __init__(self) -> None:
        self.description: dict[str, Any] = {"engine": "here", "workers": 1}

    def submit(self, function: Function, *arguments: Any) -> Future[dict[str, Any]]:
        """Run a function."""
        future: Future[dict[str, Any]] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def restart(self) -> None:
        """Do nothing: this process is the worker."""

    def close(self) -> None:
        """Do nothing."""
