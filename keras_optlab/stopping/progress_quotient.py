"""Stopping when the validation error rises while the training error stands still."""

from __future__ import annotations

import math
from collections.abc import Sequence

from keras_optlab.core import Hyper
from keras_optlab.core.fields import REQUIRED
from keras_optlab.stopping.generalization_loss import (
    GeneralizationLoss,
    generalization_loss,
)


def training_progress(strip: Sequence[float]) -> float:
    """Return how far, in per mille, the mean of a strip is above its lowest value.

    >>> training_progress([1.5, 1.25, 1.0])
    250.0
    >>> training_progress([0.0, 0.0]), training_progress([0.5, 0.0])
    (0.0, inf)
    """
    mean, lowest = sum(strip) / len(strip), min(strip)
    if lowest == 0:
        return 0.0 if mean == 0 else math.inf
    return 1000 * (mean - lowest) / lowest


class ProgressQuotient(GeneralizationLoss):
    r"""Stops when the generalization loss is large against the training's progress: PQ.

        P_k(t) = 1000 · (Σ_{t' = t−k+1 .. t} E_tr(t') / (k · min_{t'} E_tr(t')) − 1)
        PQ(t)  = GL(t) / P_k(t) > α

    at the end of each strip of k values. E_tr is the metric of the training data that
    belongs to the monitored one: `loss` to `val_loss`. While the training error falls
    fast, the validation error may rise for a while and still fall again; PQ waits.

    If the training error did not change within a strip, P_k = 0, and PQ is infinite for
    GL > 0 and 0 for GL = 0. If it reached 0 in the strip, P_k is infinite and PQ = 0. A
    strip in which a training error is NaN, infinite or negative does not decide. For
    the validation error see `GeneralizationLoss`.

    Args:
        alpha: α > 0. Prechelt compared 0.5, 0.75, 1, 2 and 3; a larger one trains
            longer.
        strip: k, values in a strip; integer >= 2. Defaults to 5.

    Raises:
        ValueError: if an argument is out of range; from `EarlyStopping`, if the metric
            is not a validation metric of mode `"min"`.
        TypeError: if an argument is missing or has a wrong type.

    Source:
        Prechelt, "Early Stopping - But When?", 1998, section 2.1.

    Differs from the paper: `fit` reports the training error as the mean over the
    epoch, not measured at the end of it.

    Example:
        >>> quotient = ProgressQuotient(alpha=0.5, strip=2)
        >>> quotient.start(metric="val_loss")
        >>> quotient.update(0.5, train_value=0.5)
        >>> quotient.update(0.75, train_value=0.375)  # GL 50 %, P 167 per mille
        >>> quotient.update(0.75, train_value=0.375)
        >>> quotient.update(0.75, train_value=0.36)  # P 21 per mille
        'val_loss is 50 % above its best, 0.5, while loss fell little (PQ 2.4 > 0.5)'
    """

    needs_training = True

    alpha: float = Hyper(default=REQUIRED, adjustable=False, doc="largest quotient α")
    strip: int = Hyper(
        default=5,
        within=">= 2",
        integer=True,
        adjustable=False,
        doc="values in a strip",
    )

    def reset(self) -> None:
        """Forget the best value, and begin a strip."""
        super().reset()
        self._strip: list[float] = []

    def decide(
        self, value: float, train_value: float | None, position: float
    ) -> str | None:
        """Return why to stop if PQ > α at the end of a strip."""
        del position
        if train_value is None:
            raise ValueError(
                "ProgressQuotient needs the metric of the training data with every "
                f"value. Received: {self.metric}={value:.6g} without it. Call "
                "`update(value, train_value)`."
            )
        self._strip.append(train_value)
        defined = self.observe(value)
        if len(self._strip) < self.strip:
            return None
        strip, self._strip = self._strip, []
        if not defined or not all(math.isfinite(x) and x >= 0 for x in strip):
            return None
        loss, progress = generalization_loss(value, self.best), training_progress(strip)
        if progress == 0:
            quotient = 0.0 if loss == 0 else math.inf
        else:
            quotient = 0.0 if progress == math.inf else loss / progress
        self.figure = quotient
        if quotient <= self.alpha:
            return None
        rise = f"{self.metric} is {loss:.4g} % above its best, {self.best:.6g}"
        train = self.metric.removeprefix("val_")
        still = f"while {train} fell little (PQ {quotient:.4g} > {self.alpha:g})"
        return f"{rise}, {still}"
