"""When the running `fit` validates."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from keras_optlab.engine.backend.keras_hooks import fit_arguments


@dataclass(frozen=True)
class Validation:
    """What a `fit` was told of its validation.

    >>> every_other = Validation(given=True, frequency=2, epochs=5)
    >>> [every_other.after(epoch) for epoch in range(5)]
    [True, True, True, False, False]

    Attributes:
        given: Whether there is anything to validate on.
        frequency: Epochs between two, or those after which it runs, counted from 1.
        epochs: The number of the last epoch, counted from 1.
    """

    given: bool
    frequency: int | Collection[int]
    epochs: int

    @classmethod
    def of_this_fit(cls) -> Validation | None:
        """Return that of the running `fit`, or `None` in a loop of one's own."""
        told = fit_arguments()
        if not told:
            return None
        split = told.get("validation_split") or 0.0
        return cls(
            given=told.get("validation_data") is not None or split > 0,
            frequency=told.get("validation_freq", 1),
            epochs=told.get("epochs", 1),
        )

    def after(self, epoch: int) -> bool:
        """Return whether a later epoch than this one, counted from 0, is validated."""
        if not self.given:
            return False
        done = epoch + 1
        if isinstance(self.frequency, int):
            return (done // self.frequency + 1) * self.frequency <= self.epochs
        return any(done < at <= self.epochs for at in self.frequency)

    @property
    def missing(self) -> str:
        """Say what would make it run."""
        if not self.given:
            return "pass `validation_data` to `fit`"
        return (
            f"let validation run: validation_freq={self.frequency!r} does not in the "
            f"{self.epochs} epochs of this `fit`"
        )
