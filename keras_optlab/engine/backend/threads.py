"""The number of threads that the backend computes with."""

from __future__ import annotations

import os

import keras


def threads_in_use() -> int:
    """Return how many threads an operation of the backend may use on the CPU."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        return torch.get_num_threads()
    if backend == "tensorflow":
        import tensorflow as tf

        asked = tf.config.threading.get_intra_op_parallelism_threads()
        asked = asked or os.environ.get("TF_NUM_INTRAOP_THREADS", "0")
    else:
        asked = os.environ.get("NPROC", "0")
    return int(asked) or usable_cores()


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
