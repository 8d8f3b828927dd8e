"""Trials on a Ray cluster."""

from __future__ import annotations

import math
import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from keras_optlab.core.errors import shown
from keras_optlab.engine.backend.threads import usable_cores
from keras_optlab.lab.engines.addresses import check_answers
from keras_optlab.lab.engines.engine import Function, WorkerDied
from keras_optlab.lab.engines.nodes import check_packages
from keras_optlab.lab.engines.problems_sent import ProblemsSent
from keras_optlab.lab.engines.worker import (
    call,
    check_count,
    keras_settings,
    worker_variables,
)
from keras_optlab.lab.problems.given import give
from keras_optlab.lab.requirements import need
from keras_optlab.lab.trials.trial import Trial

STORE = 200 * 2**20  # bytes for objects in a cluster that is started here
ROOT = Path(__file__).parents[3]  # has the package


class Cluster:
    """An `Engine` of Ray tasks.

    The nodes need the packages of this process in the same versions. They need no
    folder in common: a problem that is not built in is sent, with its arrays, once.

    A trial has `threads` CPUs, and where the cluster has GPUs, one of them, or its
    share if there are more workers than GPUs.

    Args:
        address: `"host:port"` of a cluster of which this machine is a node,
            `"ray://host:port"` of a cluster of other machines, or `"auto"` for one that
            runs here. `None` starts one of this machine's cores.
        workers: Trials at once; integer >= 1. `None` is the number of GPUs, or else of
            CPUs.

    Raises:
        ImportError: if Ray is not installed, or a node has other packages.
        ConnectionError: if no cluster answers at `address`.
        ValueError: if an argument is out of range.
    """

    loses_all = False

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        need("ray")
        check_count("workers", workers, 1)
        _connect(address)
        import ray

        nodes = [n["Resources"] for n in ray.nodes() if n["Alive"]]
        cpus = [int(n["CPU"]) for n in nodes if n.get("CPU", 0) >= 1]
        gpus = int(sum(n.get("GPU", 0) for n in nodes))
        self.workers = check_count("workers", workers, gpus or sum(cpus))
        self.threads = max(1, min(sum(cpus) // self.workers, min(cpus)))
        self.description: dict[str, Any] = {
            "engine": "ray",
            "workers": self.workers,
            "threads": self.threads,
            "nodes": len(nodes),
            "gpus": gpus,
        }
        variables = worker_variables(self.threads)
        if address is None:  # another machine has its own folders
            path = [str(ROOT), os.environ.get("PYTHONPATH", "")]
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        else:
            check_packages(variables)
        self._task = ray.remote(
            max_retries=0,
            num_cpus=self.threads,
            num_gpus=1 / math.ceil(self.workers / gpus) if gpus else 0,
            runtime_env={"env_vars": variables},
        )(_run)
        self._problems = ProblemsSent()
        self._running: dict[Future[dict[str, Any]], Any] = {}

    def submit(self, function: Function, *arguments: Any) -> Future[dict[str, Any]]:
        """Start a function in a process of the cluster."""
        references = [a.problem for a in arguments if isinstance(a, Trial)]
        reference = references[0] if references else ""
        sent = self._problems.sent(reference)
        task = self._task.remote(
            keras_settings(), reference, sent, function, *arguments
        )
        outer: Future[dict[str, Any]] = Future()
        self._running[outer] = task
        outer.add_done_callback(lambda done: self._running.pop(done, None))
        task.future().add_done_callback(lambda done: _pass_on(done, outer))
        return outer

    def restart(self) -> None:
        """Do nothing: Ray starts new processes."""

    def close(self) -> None:
        """End the trials that run. The cluster stays until this process ends."""
        import ray

        for task in list(self._running.values()):
            ray.cancel(task, force=True)


def _connect(address: str | None) -> None:
    """Connect to a cluster, or start one; keep the one that this process has.

    Raises:
        ConnectionError: if none answers.
    """
    import ray

    if ray.is_initialized():
        used = ray.get_runtime_context().gcs_address
        if address in (None, "auto", used):
            return
        ray.shutdown()
    common = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        ray.init(
            address="local",
            num_cpus=usable_cores(),
            include_dashboard=False,
            object_store_memory=STORE,
            **common,
        )
        return
    check_answers(address)
    try:
        ray.init(address=address, **common)
    except Exception as error:
        raise ConnectionError(
            f"No Ray cluster can be used at this address. Received: "
            f"address={shown(address)}: {_reason(error)}"
        ) from error


def _reason(error: BaseException) -> str:
    """Return the first cause of an error, such as a missing token, in one line."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[-1]}"


def _run(
    settings: tuple[str, str, str],
    reference: str,
    problem: Any,
    function: Function,
    *arguments: Any,
) -> dict[str, Any]:
    """Call a function in a process of the cluster, which may be given the problem."""
    if problem is not None:
        give(reference, problem)
    return call(settings, function, *arguments)


def _pass_on(done: Any, outer: Future[dict[str, Any]]) -> None:
    """Give the outcome to another future, with `WorkerDied` for Ray's errors."""
    from ray import exceptions

    died = (
        exceptions.WorkerCrashedError,
        exceptions.NodeDiedError,
        exceptions.OutOfMemoryError,
        exceptions.ObjectLostError,
    )
    error = done.exception()
    if isinstance(error, exceptions.RayTaskError):
        error = error.cause
    if isinstance(error, died):
        error = WorkerDied(str(error).strip().partition("\n")[0])
    if error is not None:
        outer.set_exception(error)
    else:
        outer.set_result(done.result())
