"""The number of threads that a process computes with."""

from __future__ import annotations


def thread_variables(threads: int) -> dict[str, str]:
    """Return environment variables that hold a process to some threads.

    They work if set before the backend is imported.

    >>> thread_variables(2)["TF_NUM_INTRAOP_THREADS"]
    '2'
    """
    names = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"
    multithreaded = "true" if threads > 1 else "false"
    flags = f"--xla_cpu_multi_thread_eigen={multithreaded}"
    return {name: str(threads) for name in names} | {"XLA_FLAGS": flags}
