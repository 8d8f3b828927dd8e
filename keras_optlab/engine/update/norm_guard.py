"""A limit on the gradient norm of a step, and the norms of the last steps."""

from __future__ import annotations

import math
from collections.abc import Callable

from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.keras_adapter import remove_variable
from keras_optlab.engine.backend.variables import Pairs, read
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.statistics.ring_buffer import Ring

Norms = list[tuple[float, bool]]  # of each step: its norm, and whether it was applied


class NormGuard:
    """A limit, which a callback sets without a retrace, and a record of each step.

    A step whose gradient has a larger norm is skipped, as one with a NaN is. The norm
    is that of the whole gradient before clipping, which the check for NaN computes
    anyway. With gradient accumulation it is that of each micro-batch.

    Args:
        add_variable: Creates a variable from its name, shape and type.
        capacity: Number of steps whose norms are kept.

    Attributes:
        variables: The state, which is not saved.
    """

    def __init__(self, add_variable: Callable[..., Variable], capacity: int) -> None:
        self.limit = add_variable("gradient_norm_limit", (), "float32")
        self._ring = Ring(add_variable, "gradient_norms", capacity, (2,))
        self.variables = [self.limit, *self._ring.variables]
        self.set_limit(math.inf)

    @property
    def capacity(self) -> int:
        """Number of steps whose norms are kept."""
        return self._ring.capacity

    def set_limit(self, norm: float) -> None:
        """Set the largest norm of a step that is applied."""
        self.limit.assign(norm)

    def allows(self, norm: Tensor) -> Tensor:
        """Return whether a norm is within the limit, in the compiled step."""
        return ops.cast(norm, "float32") <= read(self.limit)

    def record(self, norm: Tensor, good: Tensor, t: Tensor) -> Pairs:
        """Return the variables and values that record a step."""
        row = [ops.cast(norm, "float32"), ops.cast(good, "float32")]
        return self._ring.write(True, t, lambda: ops.stack(row))

    def since(self, count: int) -> tuple[int, Norms]:
        """Return the number of steps so far, and the norms after the first `count`."""
        now, records = self._ring.since(count)
        return now, [(float(row[0]), bool(row[1])) for _, row in records]


def add_norm_guard(optimizer: BuiltOptimizer, capacity: int) -> NormGuard:
    """Give an optimizer a `NormGuard`, in place of an earlier one; retrace after it."""
    remove_norm_guard(optimizer)

    def add_variable(name: str, shape: tuple[int, ...], dtype: str) -> Variable:
        return optimizer.add_variable(
            shape=shape, dtype=dtype, aggregation="only_first_replica", name=name
        )

    optimizer.norm_guard = NormGuard(add_variable, capacity)
    return optimizer.norm_guard


def remove_norm_guard(optimizer: BuiltOptimizer) -> bool:
    """Remove an optimizer's `NormGuard`; return whether it had one."""
    guard, optimizer.norm_guard = optimizer.norm_guard, None
    for variable in () if guard is None else guard.variables:
        remove_variable(optimizer, variable)
    return guard is not None
