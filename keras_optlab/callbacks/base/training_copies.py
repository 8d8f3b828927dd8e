"""The last few copies of the state of training, to go back to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras_optlab.engine import DeviceCopy


@dataclass
class Copy:
    """A copy of the state of training.

    Attributes:
        state: The copy.
        at: Batches drawn when it was made, or last put back.
        step: Its step.
        epoch: Its epoch.
        progress: Batches trained on until it was made, without those undone.
        mean: Number of batches in the mean loss of the epoch, and the mean.
    """

    state: DeviceCopy
    at: int
    step: int
    epoch: int
    progress: int
    mean: tuple[int, float]


class TrainingCopies:
    """The last copies.

    Args:
        keep: Number of copies.

    Attributes:
        progress: Batches trained on, without those undone.
    """

    def __init__(self, keep: int) -> None:
        self._keep, self.progress, self._at = keep, 0, 0
        self._copies: list[Copy] = []  # oldest first

    def reach(self, at: int) -> None:
        """Note the number of batches drawn so far."""
        self.progress += at - self._at
        self._at = at

    def __len__(self) -> int:
        return len(self._copies)

    def add(self, model: Any, step: int, epoch: int, mean: tuple[int, float]) -> None:
        """Copy the present state."""
        state = DeviceCopy(model)
        self._copies.append(Copy(state, self._at, step, epoch, self.progress, mean))
        del self._copies[: -self._keep]

    def before(self, at: int, oldest: bool, spike: bool) -> Copy | None:
        """Return a finite copy from before a batch, the newest one or the oldest.

        Args:
            at: Batches drawn before it.
            oldest: Whether the oldest.
            spike: Whether the batch had a spike, which the update just before it may
                have caused. A copy from in between is then the last choice.
        """
        found = [c for c in self._copies if c.at <= at]
        found.sort(key=lambda c: (spike and c.at == at, c.at if oldest else -c.at))
        return next((c for c in found if c.state.is_finite), None)

    def go_back(self, copy: Copy, with_metrics: bool) -> tuple[int, bool]:
        """Put a copy back, and forget those after it.

        Args:
            copy: The copy.
            with_metrics: Whether the metrics go back too; otherwise they begin anew.

        Returns:
            The number of batches that were undone, and whether the metrics went back.
        """
        with_metrics = copy.state.restore(with_metrics)
        undone, self.progress = self.progress - copy.progress, copy.progress
        self._copies = [c for c in self._copies if c.at <= copy.at]
        copy.at = self._at
        return undone, with_metrics
