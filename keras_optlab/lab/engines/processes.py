"""Trials in processes of this machine, by loky."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future
from typing import Any

import keras

from keras_optlab.core.errors import shown
from keras_optlab.lab.engines.engine import Function, WorkerDied
from keras_optlab.lab.engines.threads import thread_variables
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
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        cores = cores or os.cpu_count() or 1
        self.workers = _count("workers", workers, cores)
        self.threads = _count("threads", threads, max(1, cores // self.workers))
        self.description = {
            "engine": "processes",
            "workers": self.workers,
            "threads": self.threads,
        }

    def submit(self, function: Function, *arguments: Any) -> Future[dict[str, Any]]:
        """Start a function in a process."""
        inner = self._pool().submit(function, *arguments)
        outer: Future[dict[str, Any]] = Future()
        inner.add_done_callback(lambda done: _pass_on(done, outer))
        return outer

    def restart(self) -> None:
        """Do nothing: the next call of `submit` has new processes."""

    def close(self) -> None:
        """End the processes."""
        self._pool().shutdown(wait=False, kill_workers=True)

    def _pool(self) -> Any:
        from joblib.externals.loky import get_reusable_executor

        variables = {
            "KERAS_BACKEND": keras.backend.backend(),
            "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
            **thread_variables(self.threads),
        }
        return get_reusable_executor(
            max_workers=self.workers,
            timeout=IDLE,
            env=variables,
            initializer=_ignore_ctrl_c,
        )


def _ignore_ctrl_c() -> None:
    """Leave Ctrl-C to the process of the study, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _pass_on(done: Any, outer: Future[dict[str, Any]]) -> None:
    """Give the outcome to another future, with `WorkerDied` for loky's errors."""
    from concurrent.futures.process import BrokenProcessPool

    error = done.exception() if not done.cancelled() else WorkerDied("cancelled")
    if isinstance(error, BrokenProcessPool):
        error = WorkerDied(str(error).partition("\n")[0])
    if error is not None:
        outer.set_exception(error)
    else:
        outer.set_result(done.result())


def _count(name: str, given: Any, default: int) -> int:
    if given is None:
        return default
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ValueError(f"`{name}` must be an integer >= 1. Received: {shown(given)}")
    return given
