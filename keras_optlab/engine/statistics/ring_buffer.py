"""The last few records of one kind, in variables that a compiled step writes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.commit import cond_rare
from keras_optlab.engine.backend.variables import Pairs, read, to_numpy

Records = list[tuple[int, np.ndarray]]  # each with the number of its update


class Ring:
    """The last `capacity` records, kept so that they need not be read at each step.

    Args:
        add_variable: Creates a variable from its name, shape and type.
        name: Name of the kind.
        capacity: Number of records kept, >= 1.
        shape: Shape of a record.
    """

    def __init__(
        self,
        add_variable: Callable[..., Variable],
        name: str,
        capacity: int,
        shape: tuple[int, ...],
    ) -> None:
        self.capacity = capacity
        self.tables = add_variable(name, (capacity, *shape), "float32")
        self.steps = add_variable(f"{name}_steps", (capacity,), "int")
        self.count = add_variable(f"{name}_count", (), "int")

    @property
    def variables(self) -> list[Variable]:
        """The state, which does not influence training."""
        return [self.tables, self.steps, self.count]

    def write(
        self, due: Tensor | bool, t: Tensor, measure: Callable[[], Tensor]
    ) -> Pairs:
        """Return the next state, with a record of update `t` if one is due."""
        tables, steps, count = map(read, self.variables)
        here = ops.arange(self.capacity, dtype=count.dtype) == count % self.capacity

        def record(tables: Tensor) -> Tensor:
            place = ops.reshape(here, (-1,) + (1,) * (len(tables.shape) - 1))
            return ops.where(place, measure(), tables)

        return [
            (self.tables, cond_rare(due, record, tables)),
            (self.steps, ops.where(ops.logical_and(here, due), t, steps)),
            (self.count, count + ops.cast(due, count.dtype)),
        ]

    def since(self, count: int) -> tuple[int, Records]:
        """Return the number of records so far, and the records after the first `count`.

        Only the last `capacity` are kept. They are oldest first, each with its update.
        """
        now = int(to_numpy(self.count))
        first = max(count, now - self.capacity, 0)
        if now <= first:
            return now, []
        tables, steps = map(to_numpy, (self.tables, self.steps))
        places = [i % self.capacity for i in range(first, now)]
        return now, [(int(steps[i]), tables[i]) for i in places]

    def last(self) -> Records:
        """Return the last record with its update, if there is one."""
        return self.since(int(to_numpy(self.count)) - 1)[1]
