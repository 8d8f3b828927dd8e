"""Stopping when the validation error is too far above its best value."""

from __future__ import annotations

import math
import warnings

from keras_optlab.core import Hyper
from keras_optlab.stopping.base import Criterion


def generalization_loss(value: float, best: float) -> float:
    """Return by how many percent an error >= 0 is above the best one.

    >>> generalization_loss(0.75, 0.5)
    50.0
    >>> generalization_loss(0.0, 0.0), generalization_loss(0.1, 0.0)
    (0.0, inf)
    """
    if best == 0:
        return 0.0 if value == 0 else math.inf
    return 100 * (value - best) / best


class GeneralizationLoss(Criterion):
    r"""Stops when the validation error is some percent above its best: Prechelt's GL.

        GL(t) = 100 · (E(t) / min_{t' <= t} E(t') − 1) > α

    E(t) is the monitored validation metric at its t-th value. At a best value of 0, GL
    is 0 if E(t) = 0 and infinite otherwise. GL is a ratio, so it is defined for errors
    >= 0 only: at a negative value, as a log-likelihood may have, and from then on, it
    warns once and does not decide. A NaN or infinite value does not count. Metrics of
    mode `"max"`, such as accuracy, are refused: monitor the loss, or an error.

    Args:
        alpha: α > 0, in percent. Prechelt compared 1, 2, 3 and 5. Defaults to 5.

    Raises:
        ValueError: if `alpha` is not > 0; from `EarlyStopping`, if the metric is not a
            validation metric of mode `"min"`.
        TypeError: if `alpha` is not a number.

    Source:
        Prechelt, "Early Stopping - But When?", 1998, section 2.1.

    Differs from `Patience`: one bad value is enough, and a slow rise by less than α is
    never stopped.

    Example:
        >>> loss = GeneralizationLoss(alpha=5)
        >>> loss.start(metric="val_loss")
        >>> [loss.update(value) for value in (1.0, 0.5, 0.52)]
        [None, None, None]
        >>> loss.update(0.53)
        'val_loss is 6 % above its best, 0.5 (GL > 5)'
    """

    modes = ("min",)
    needs_validation = True

    alpha: float = Hyper(
        default=5.0, adjustable=False, doc="allowed rise α above the best, in percent"
    )

    def reset(self) -> None:
        """Forget the best value."""
        self.best = math.inf
        self._undefined = False

    def decide(
        self, value: float, train_value: float | None, position: float
    ) -> str | None:
        """Return why to stop if GL > α."""
        del train_value, position
        if not self.observe(value):
            return None
        self.figure = loss = generalization_loss(value, self.best)
        if loss <= self.alpha:
            return None
        rise = f"{self.metric} is {loss:.4g} % above its best, {self.best:.6g}"
        return f"{rise} (GL > {self.alpha:g})"

    def observe(self, value: float) -> bool:
        """Update the best value; return whether the ratio to it is defined."""
        if not math.isfinite(value):
            return False
        self.best = min(self.best, value)
        if self.best < 0 and not self._undefined:
            self._undefined = True
            self.figure = None
            name = type(self).__name__
            warnings.warn(
                f"{name} compares a value with its ratio to the best one, which is "
                f"defined for errors >= 0. Received: {self.metric}={value:.6g}. It "
                "does not decide any more. Use Patience, Rising or Plateau for a "
                "metric that can be negative.",
                stacklevel=2,
            )
        return not self._undefined
