"""The number of threads that a process computes with."""

from __future__ import annotations

import os


def thread_variables(threads: int) -> dict[str, str]:
    """Return environment variables that hold a process to some threads.

    They work if set before the first operation of the backend.

    >>> thread_variables(2)["TF_NUM_INTRAOP_THREADS"]
    '2'
    """
    of_tensorflow = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"
    of_torch = "OMP_NUM_THREADS", "MKL_NUM_THREADS"
    of_jax = ("NPROC",)  # read by XLA
    names = *of_tensorflow, *of_torch, *of_jax
    multithreaded = "true" if threads > 1 else "false"
    flags = f"--xla_cpu_multi_thread_eigen={multithreaded}"
    given = os.environ.get("XLA_FLAGS", "")
    return {name: str(threads) for name in names} | {
        "XLA_FLAGS": f"{given} {flags}".strip()
    }


def memory_variables() -> dict[str, str]:
    """Return environment variables by which processes share the memory of a GPU."""
    return {
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
