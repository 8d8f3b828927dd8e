"""`ProblemsSent`: problems that are sent to the nodes of a cluster."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from keras_optlab.lab.problems import find, names


class ProblemsSent:
    """Problems in Ray's store of objects, from which each node takes them once."""

    def __init__(self) -> None:
        self._reference = ""
        self._sent: Any = None

    def sent(self, reference: str) -> Any:
        """Return Ray's reference of a problem, `None` for one that all nodes have.

        Args:
            reference: As `problems.find` takes.

        Raises:
            TypeError: if the problem cannot be sent.
        """
        if not reference or reference in names():
            return None
        if reference != self._reference:
            self._sent, self._reference = _send(reference), reference
        return self._sent


def _send(reference: str) -> Any:
    import ray
    import ray.cloudpickle

    problem = find(reference)
    module = sys.modules.get(reference.partition(":")[0])
    if module is not None:  # the nodes may not have it
        ray.cloudpickle.register_pickle_by_value(module)
    try:
        return ray.put(replace(problem, data=problem.splits))
    except Exception as error:
        raise TypeError(
            "The problem cannot be sent to the cluster. Received: "
            f"{reference!r}: {type(error).__name__}: {error}"
        ) from error
