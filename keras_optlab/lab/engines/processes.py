"""Trials in processes of this machine, by loky."""

from __future__ import annotations

import os
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from keras_optlab.engine.backend.threads import usable_cores
from keras_optlab.lab.engines.engine import Function, WorkerDied
from keras_optlab.lab.engines.worker import (
    CHECKS,
    call,
    check_count,
    initialize,
    keras_settings,
    worker_variables,
)
from keras_optlab.lab.requirements import need

IDLE = 600  # seconds after which a worker without a trial ends


class Processes:
    """An `Engine` of processes that stay for further trials.

    The cores are shared: each worker computes with as many threads as there are cores
    for it, since threads that wait for each other make trials slower.

    Args:
        workers: Number of processes; integer >= 1. `None` is the number of cores.
        threads: Threads of each; integer >= 1. `None` shares the cores.

    Raises:
        ImportError: if joblib is not installed.
        ValueError: if an argument is out of range.
    """

    loses_all = True

    def __init__(self, workers: int | None = None, threads: int | None = None) -> None:
        need("joblib")
        cores = usable_cores()
        self.workers = check_count("workers", workers, cores)
        self.threads = check_count("threads", threads, max(1, cores // self.workers))
        self.description = {
            "engine": "processes",
            "workers": self.workers,
            "threads": self.threads,
        }
        self._used: Any = None  # the pool of the last trial
        self._running: set[Future[dict[str, Any]]] = set()

    def submit(self, function: Function, *arguments: Any) -> Future[dict[str, Any]]:
        """Start a function in a process."""
        outer: Future[dict[str, Any]] = Future()
        self._running.add(outer)
        outer.add_done_callback(self._running.discard)
        self._used = self._pool()
        try:
            inner = self._used.submit(call, keras_settings(), function, *arguments)
        except BrokenProcessPool as error:  # a worker died since the pool was made
            outer.set_exception(_death(error))
        else:
            inner.add_done_callback(lambda done: _pass_on(done, outer))
        return outer

    def restart(self) -> None:
        """Do nothing: the next call of `submit` has new processes."""

    def close(self) -> None:
        """End the trials that run. Processes without one stay, for a while."""
        if self._running and self._used is not None:
            self._used.shutdown(wait=True, kill_workers=True)

    def _pool(self) -> Any:
        from joblib.externals.loky import get_reusable_executor

        return get_reusable_executor(
            max_workers=self.workers,
            timeout=IDLE,
            env=worker_variables(self.threads),
            initializer=initialize,
            initargs=(os.getpid(), CHECKS),
        )


def _pass_on(done: Any, outer: Future[dict[str, Any]]) -> None:
    """Give the outcome to another future, with `WorkerDied` for loky's errors."""
    error = WorkerDied("cancelled") if done.cancelled() else done.exception()
    if isinstance(error, BrokenProcessPool):
        error = _death(error)
    if error is not None:
        outer.set_exception(error)
    else:
        outer.set_result(done.result())


def _death(error: BaseException) -> WorkerDied:
    return WorkerDied(str(error).strip().partition("\n")[0])
