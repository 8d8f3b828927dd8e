"""Stopping when the validation error rises in successive strips."""

from __future__ import annotations

from keras_optlab.core import Hyper
from keras_optlab.core.fields import REQUIRED
from keras_optlab.stopping.base import Criterion


class Rising(Criterion):
    """Stops when the metric got worse in some successive strips: Prechelt's UP.

        UP_1 holds at the end t of a strip of k values if E(t) > E(t − k),
        UP_s at the end t of a strip if UP_{s−1} holds at t − k and E(t) > E(t − k)

    The first strip is compared with none. Only the last value of each strip counts, so
    the best value and the size of the rise do not matter. With mode `"max"` the metric
    must fall. A strip that ends with NaN counts as no rise.

    Args:
        strips: s, successive strips with a rise; integer >= 1. Prechelt compared 2, 3,
            4, 6 and 8.
        strip: k, values in a strip; integer >= 1. Defaults to 5.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or has a wrong type.

    Source:
        Prechelt, "Early Stopping - But When?", 1998, section 2.1.

    Differs from `Patience`: it compares with the strip before, not with the best value.

    Example:
        >>> rising = Rising(strips=2, strip=1)
        >>> rising.start(metric="val_loss")
        >>> [rising.update(value) for value in (3.0, 1.0, 1.5, 1.25)]
        [None, None, None, None]
        >>> rising.update(2.0), rising.update(2.5)
        (None, 'val_loss rose in 2 strips of 1 value in a row, to 2.5')
    """

    strips: int = Hyper(
        default=REQUIRED,
        within=">= 1",
        integer=True,
        adjustable=False,
        doc="successive strips with a rise",
    )
    strip: int = Hyper(
        default=5,
        within=">= 1",
        integer=True,
        adjustable=False,
        doc="values in a strip",
    )

    def reset(self) -> None:
        """Forget the strips."""
        self._last: float | None = None
        self._rises = 0

    def decide(
        self, value: float, train_value: float | None, position: float
    ) -> str | None:
        """Return why to stop if the last strips all got worse."""
        del train_value, position
        if self.count % self.strip:
            return None
        last, self._last = self._last, value
        worse = last is not None and (
            value > last if self.mode == "min" else value < last
        )
        self._rises = self._rises + 1 if worse else 0
        self.figure = float(self._rises)
        if self._rises < self.strips:
            return None
        went = "rose" if self.mode == "min" else "fell"
        values = "value" if self.strip == 1 else "values"
        strips = "1 strip" if self.strips == 1 else f"{self.strips} strips"
        row = " in a row" if self.strips > 1 else ""
        return (
            f"{self.metric} {went} in {strips} of {self.strip} {values}{row}, "
            f"to {value:.6g}"
        )
