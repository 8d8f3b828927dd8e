"""Counters of gradient accumulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.variables import Pairs, read


@dataclass(frozen=True)
class Counts:
    """The counts, including the current micro-batch.

    Attributes:
        received: Number of all micro-batches, bad ones too. On TensorFlow, Keras' own
            count is too large by one for each epoch of data of unknown length.
        good: Number of good micro-batches since the last update.
        gradients: For each weight, how many of these had a gradient for it.
    """

    received: Tensor
    good: Tensor
    gradients: Tensor


class Window:
    """The counters of a window: the micro-batches of one update.

    Args:
        add_variable: Creates a variable from its name, shape and type.
        weights: Number of weights.
    """

    def __init__(self, add_variable: Callable[..., Variable], weights: int) -> None:
        self.received = add_variable("received", (), "int")
        self.good = add_variable("accumulated", (), "int")
        self.gradients = add_variable("accumulated_gradients", (weights,), "int")

    @property
    def variables(self) -> dict[str, Variable]:
        """The counters by the names under which they are saved."""
        return {
            "accumulated_received": self.received,
            "accumulated": self.good,
            "accumulated_gradients": self.gradients,
        }

    def next(self, good: Tensor | int, present: set[int]) -> Counts:
        """Return the counts after a micro-batch.

        Args:
            good: 1 if it is good, else 0.
            present: The indices of the weights that it has a gradient for.
        """
        received, so_far, each = map(read, self.variables.values())
        has = [int(i in present) for i in range(each.shape[0])]
        return Counts(
            received=received + 1,
            good=so_far + good,
            gradients=each + good * ops.array(has, each.dtype),
        )

    def kept(self, counts: Counts) -> Pairs:
        """Return the counters' next values if the window continues."""
        return [
            (self.received, counts.received),
            (self.good, counts.good),
            (self.gradients, counts.gradients),
        ]

    def emptied(self, counts: Counts) -> Pairs:
        """Return the counters' next values after an update."""
        return [
            (self.received, counts.received),
            (self.good, ops.zeros_like(counts.good)),
            (self.gradients, ops.zeros_like(counts.gradients)),
        ]
