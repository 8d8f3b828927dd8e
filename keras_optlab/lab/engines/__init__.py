"""Engines: where trials run, and running many of them."""

from __future__ import annotations

from keras_optlab.core.errors import shown, suggest
from keras_optlab.lab.engines.engine import Engine, WorkerDied
from keras_optlab.lab.engines.here import Here
from keras_optlab.lab.engines.processes import Processes
from keras_optlab.lab.engines.running import Running

NAMES = ("processes", "here", "ray")

__all__ = ["Engine", "Here", "Processes", "Running", "WorkerDied", "make_engine"]


def make_engine(
    engine: str | Engine = "processes",
    workers: int | None = None,
    address: str | None = None,
) -> Engine:
    """Return an engine.

    Args:
        engine: `"processes"` of this machine, `"here"` in this process, `"ray"`, or an
            `Engine`.
        workers: Trials at once; integer >= 1. `None` is the number of cores.
        address: Address of a Ray cluster; `None` starts one on this machine.

    Raises:
        TypeError: if `engine` is neither a name nor an `Engine`.
        ValueError: if there is no such engine, or an argument is out of range.
        ImportError: if what it needs is not installed.
        ConnectionError: if nothing answers at `address`.
    """
    if not isinstance(engine, str):
        if not hasattr(engine, "submit"):
            raise TypeError(
                f"expected an engine of {', '.join(NAMES)}, or a lab.engines.Engine. "
                f"Received: engine={shown(engine)}"
            )
        return engine
    if engine not in NAMES:
        raise ValueError(
            f"expected an engine of {', '.join(NAMES)}. Received: "
            f"engine={shown(engine)}. "
            f"{suggest(engine, NAMES)}"
        )
    if address is not None and engine != "ray":
        raise ValueError(
            "`address` is that of a Ray cluster. Received: "
            f"address={shown(address)}, engine={shown(engine)}. Set engine='ray'."
        )
    if engine == "here":
        return Here()
    if engine == "processes":
        return Processes(workers)
    from keras_optlab.lab.engines.cluster import Cluster

    return Cluster(address, workers)
