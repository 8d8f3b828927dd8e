"""`RateRange`: the result of a range test."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from keras_optlab.core.errors import shown, suggest
from keras_optlab.core.retrace import retrace
from keras_optlab.engine import find_optimizer
from keras_optlab.engine.backend.keras_adapter import inner_optimizer, rate_source
from keras_optlab.finders.curve import ABOVE, BELOW, LIKELY, Curve, overlap
from keras_optlab.finders.driven_value import RATE
from keras_optlab.finders.plot import draw
from keras_optlab.finders.points import EXPLAINED, RULES
from keras_optlab.finders.schedule_peak import peak_of
from keras_optlab.schedules import Scaled


class RateRange:
    """What a range test found: a range of values, suggestions in it, or why not.

    `find_rate` returns it and defines the range and the confidence.

    Attributes:
        name: Name of the hyperparameter.
        found: Whether the curve says anything.
        reason: If not, why; else "".
        low: Lower end of the range; NaN if nothing was found.
        high: Upper end of the range.
        confidence: Agreement of the runs, from 0 to 1.
        suggestions: Values in the range by the name of their rule; a value outside
            the range is moved to the nearer end.
        values: The values that were tried, as an array.
        losses: The losses of each run, as arrays; each ends where its loss diverged.
    """

    def __init__(
        self, model: Any, name: str, values: np.ndarray, losses: list[np.ndarray]
    ) -> None:
        self._model = model
        self.name, self.values, self.losses = name, values, losses
        self.curve = Curve.of(values, losses)
        self.low = self.high = math.nan
        self.confidence = 0.0
        self.suggestions: dict[str, float] = {}
        self.reason = self._missing()
        if not self.reason:
            self.low, self.high = self._ends(self.curve)
            self.confidence = self._agreement()
        if not self.reason and not self.confidence:
            self.reason = "the runs disagree: no value is in the ranges of all of them"
            self.low = self.high = math.nan
        self.found = not self.reason
        if self.found:
            points = {k: rule(self.curve) for k, rule in RULES.items()}
            self.suggestions = {
                k: min(max(x, self.low), self.high) for k, x in points.items()
            }

    def suggestion(self, rule: str | None = None) -> float:
        """Return a value to train with.

        Args:
            rule: A key of `suggestions`. Defaults to `"knee/3"` for the learning rate,
                and to `"minimum/10"` for another hyperparameter.

        Raises:
            ValueError: if nothing was found, or there is no such rule.
        """
        if rule is None:
            rule = "knee/3" if self.name == RATE else "minimum/10"
        if rule not in EXPLAINED:
            raise ValueError(
                "`rule` must be the name of a suggestion. "
                f"Received: rule={shown(rule)}. {suggest(str(rule), EXPLAINED)}"
            )
        if not self.found:
            raise ValueError(
                f"No {self.name} can be suggested: {self.reason}. Look at "
                "`result.plot()`; set the value by hand, or search with more `runs`, "
                "other ends, or larger batches."
            )
        return self.suggestions[rule]

    def apply(self, rule: str | None = None) -> float:
        """Set the optimizer's hyperparameter to a suggestion, and return it.

        A schedule of the learning rate keeps its shape: it is multiplied so that its
        largest value is the suggestion.

        Args:
            rule: As in `suggestion`.

        Raises:
            ValueError: if nothing was found, or there is no such rule.
            TypeError: if the learning rate follows a function, which has no peak.
        """
        value = self.suggestion(rule)
        optimizer: Any = inner_optimizer(self._model.optimizer)
        if self.name != RATE:
            find_optimizer(optimizer).adjust(self.name, value)  # pyright: ignore[reportOptionalMemberAccess]
            return value
        source = rate_source(optimizer)
        if isinstance(source, keras.Variable):
            optimizer.learning_rate = value
            return value
        if not isinstance(source, keras.optimizers.schedules.LearningRateSchedule):
            raise TypeError(
                "The learning rate follows a function, whose largest value is not "
                f"known. Received: learning_rate={shown(source)}. Set it yourself to "
                f"reach {value:.3g} at most."
            )
        optimizer.learning_rate = Scaled(source, value / peak_of(source))
        retrace(self._model, "train")
        return value

    def table(self) -> str:
        """Return the range and the suggestions as text."""
        if not self.found:
            return f"{self.name}: nothing found, since {self.reason}"
        lines = [
            f"{self.name}: {self.low:.2g} to {self.high:.2g}, "
            f"confidence {self.confidence:.0%} of {len(self.losses)} runs"
        ]
        for rule, value in self.suggestions.items():
            lines.append(f"  {rule:12}{value:<10.3g}{self.explained(rule)}")
        return "\n".join(lines)

    def explained(self, rule: str) -> str:
        """Return the meaning of a suggestion; one outside the range was moved to it."""
        ends = {self.low: "low", self.high: "high"}
        end = ends.get(self.suggestions[rule])
        moved = f"not in the range; moved to its {end} end"
        return EXPLAINED[rule] if end is None else moved

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses over the values, the range and the suggestions.

        Args:
            ax: matplotlib axes to draw into. Defaults to the axes of a new figure.

        Returns:
            The matplotlib axes.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        return draw(self, ax)

    def __repr__(self) -> str:
        if not self.found:
            return f"RateRange({self.name!r}, found=False, reason={self.reason!r})"
        return (
            f"RateRange({self.name!r}, low={self.low:.3g}, high={self.high:.3g}, "
            f"confidence={self.confidence:.2f})"
        )

    # Helpers.

    def _missing(self) -> str:
        """Return why the curve says nothing, or ""."""
        curve = self.curve
        if not len(curve.values):
            return (
                "the loss was not finite after the first update; look for NaN in the "
                "data: kol.diagnose(model, x, y)"
            )
        if not curve.falls():
            return "the loss never fell by more than its noise"
        if not curve.diverges and curve.lowest >= len(curve.values) - 2:
            return "the loss was still falling at the highest value"
        if curve.knee < 2:
            return "the loss fell most at the lowest value already"
        return ""

    def _ends(self, curve: Curve) -> tuple[float, float]:
        if self.name == RATE:
            knee = curve.values[curve.knee]
            return float(BELOW * knee), float(ABOVE * knee)
        lowest = curve.values[curve.lowest]
        return float(lowest * BELOW / ABOVE), float(lowest)

    def _agreement(self) -> float:
        """Return the overlap of the runs' ranges, times the share of runs with one."""
        curves = [Curve.of(self.values, [run]) for run in self.losses]
        falling = [curve for curve in curves if curve.falls(LIKELY)]
        if not falling:
            return 0.0
        share = len(falling) / len(curves)
        return share * overlap([self._ends(curve) for curve in falling])
