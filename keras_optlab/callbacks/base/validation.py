"""The epochs after which the running `fit` runs validation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from keras_optlab.engine.backend.keras_hooks import fit_arguments


@dataclass(frozen=True)
class Validation:
    """The validation arguments of a `fit`.

    >>> every_other = Validation(given=True, frequency=2, epochs=5)
    >>> [every_other.after(epoch) for epoch in range(5)]
    [True, True, True, False, False]

    Attributes:
        given: Whether `fit` was given validation data.
        frequency: Epochs between two validations, or the epochs, counted from 1, after
            which validation runs.
        epochs: The number of the last epoch, counted from 1.
    """

    given: bool
    frequency: int | Collection[int]
    epochs: int

    @classmethod
    def of_this_fit(cls) -> Validation | None:
        """Return the arguments of the running `fit`; `None` in a custom loop."""
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
        """Return whether validation runs after a later epoch; `epoch` is 0-based."""
        if not self.given:
            return False
        done = epoch + 1
        if isinstance(self.frequency, int):
            return (done // self.frequency + 1) * self.frequency <= self.epochs
        return any(done < at <= self.epochs for at in self.frequency)

    @property
    def missing(self) -> str:
        """Advice, as words for a message, that makes validation run."""
        if not self.given:
            return "pass `validation_data` to `fit`"
        return (
            f"lower `validation_freq`: validation_freq={self.frequency!r} runs no "
            f"validation in the {self.epochs} epochs of this `fit`"
        )
