"""Several processes, on one host or several, that train one model together: JAX."""

from __future__ import annotations

import keras

from keras_optlab.core.errors import shown


def is_joined() -> bool:
    """Return whether this process has joined others; JAX does not begin by this."""
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.distributed.is_initialized()


def join(coordinator: str, process: int, processes: int) -> None:
    """Join the processes that train together; return when all have.

    JAX ends this process, with a trace of its C++ code, if they do not within five
    minutes. So they should have found each other before.

    Args:
        coordinator: `"host:port"` where process 0 listens.
        process: Number of this process, from 0.
        processes: Number of processes.

    Raises:
        RuntimeError: if this process has computed on JAX before.
    """
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        keras.distribution.initialize(coordinator, processes, process)
    except RuntimeError as error:
        raise RuntimeError(
            "The process cannot join the others. It must do so before it computes "
            f"anything on JAX. Received: coordinator={shown(coordinator)}: {error}"
        ) from error
