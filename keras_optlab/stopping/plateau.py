"""Stopping when a fitted power law says that little is left to be won."""

from __future__ import annotations

import math

import numpy as np

from keras_optlab.core import Hyper
from keras_optlab.stopping.base import Criterion
from keras_optlab.stopping.power_law import PowerLaw, fit_power_law

CLEAR = 4.0  # the curve must have fallen by this many standard deviations of its noise
DRIFT = 3.0  # standard errors by which the newest values may drift off the curve


class Plateau(Criterion):
    r"""Stops when little is left to be won, by a power law fitted to the values.

    After each value, the curve f(t) = a + b · t^−c is fitted to all values, robustly
    against outliers. t is the step. Training stops if

        f(t) − f(horizon · t) < tolerance · (f(t_1) − f(t))

    that is, if training `horizon` times as long in all would win less than this part of
    what training has won so far. To be on the safe side, the left side is computed with
    the lowest c that fits the values nearly as well: two standard deviations below the
    best one. With mode `"max"` the sign of the values is changed.

    It does not decide, and `refusal` says why,

    - before there are `least` values;
    - while the curve has not fallen by 4 standard deviations of its noise;
    - while the fit is poor: a line through the deviations of the newer half of the
      values rises or falls by more than 3 standard errors.

    A NaN or infinite value does not count. From 50 values on, the curve is fitted again
    when there are 2 % more.

    Args:
        tolerance: the part of the improvement so far; (0, 1). Defaults to 0.01.
        horizon: how many times as long to train; > 1. Defaults to 2.
        least: the fewest values that are fitted; integer >= 5. Defaults to 10.

    Attributes:
        law: the last fitted curve, a `PowerLaw`, or `None`.
        refusal: why the criterion does not decide, or `""`.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument has a wrong type.

    Source:
        The curve: Viering and Loog, "The Shape of Learning Curves: a Review", 2021,
        arXiv:2103.10948. The regression: Huber, "Robust Estimation of a Location
        Parameter", 1964. The criterion is this package's own.

    Differs from `Patience`: slow progress that goes on does not count as an
    improvement or none, but by its size; noise does not restart a wait. A curve that a
    schedule of the learning rate bends is no power law, and may fall again after a
    plateau.

    Example:
        >>> plateau = Plateau(tolerance=0.04)
        >>> plateau.start(metric="loss")
        >>> reasons = [plateau.update(1 + 4 / t, position=t) for t in range(1, 15)]
        >>> [t for t, why in enumerate(reasons, 1) if why]
        [14]
        >>> reasons[-1]
        'training 2 times as long would improve loss by 0.14, 3.8 % of the improvement
        so far'
    """

    counts_in = "steps"
    not_state = (*Criterion.not_state, "law")

    tolerance: float = Hyper(
        default=0.01,
        within="(0, 1)",
        adjustable=False,
        doc="part of the improvement so far",
    )
    horizon: float = Hyper(
        default=2.0, within="> 1", adjustable=False, doc="how many times as long"
    )
    least: int = Hyper(
        default=10,
        within=">= 5",
        integer=True,
        adjustable=False,
        doc="fewest values that are fitted",
    )

    def reset(self) -> None:
        """Forget the curve."""
        self._positions: list[float] = []
        self._curve: list[float] = []
        self._fitted = 0
        self.law: PowerLaw | None = None
        self.refusal = "there are no values yet"

    def decide(
        self, value: float, train_value: float | None, position: float
    ) -> str | None:
        """Return why to stop if little is left to be won."""
        del train_value
        newer = not self._positions or position > self._positions[-1]
        if not math.isfinite(value) or position <= 0 or not newer:
            return None
        self._positions.append(float(position))
        self._curve.append(value if self.mode == "min" else -value)
        count = len(self._curve)
        if count < self.least:
            self.refusal = f"there are {count} values of at least {self.least}"
            return None
        if count < 1.02 * self._fitted:
            return None
        self._fitted = count
        return self._judge()

    def _judge(self) -> str | None:
        """Fit the curve; return why to stop."""
        values = np.array(self._curve)
        self.figure, self.refusal = None, ""
        if values.max() == values.min():
            self.refusal = f"{self.metric} has not changed"
            return None
        self.law = law = fit_power_law(np.array(self._positions), values)
        if law.fall <= CLEAR * law.noise:
            self.refusal = f"{self.metric} has not improved by more than its noise"
        elif law.drift > DRIFT:
            self.refusal = f"the newest values of {self.metric} leave the fitted curve"
        if self.refusal:
            return None
        self.figure = share = law.share(self.horizon, law.lowest_c)
        if share >= self.tolerance:
            return None
        return (
            f"training {self.horizon:g} times as long would improve {self.metric} by "
            f"{share * law.fall:.2g}, {100 * share:.2g} % of the improvement so far"
        )
