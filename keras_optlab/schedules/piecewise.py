"""Piecewise constant values."""

from __future__ import annotations

from typing import Any

from keras_optlab.core.spans import Span
from keras_optlab.core.values import Values
from keras_optlab.schedules.arguments import boundaries, check_pieces, rates
from keras_optlab.schedules.base import Schedule
from keras_optlab.schedules.join import has_shares, in_turn


class Piecewise(Schedule):
    """Piecewise constant values that change at given steps.

        value(t) = levels[i]    for boundaries[i - 1] <= t < boundaries[i]

    Equal to torch's `MultiStepLR(milestones=boundaries, gamma)` where each level is
    `gamma` times the one before, and to `optax.piecewise_constant_schedule`, which
    takes the first level and the ratios. Keras' `PiecewiseConstantDecay` changes one
    update later: this schedule equals `PiecewiseConstantDecay([b - 1 for b in
    boundaries], levels)`.

    Args:
        boundaries: The steps, counted in updates, at which the value changes; integers
            > 0, or shares of the training in (0, 1), in increasing order.
        levels: The values, one entry more than `boundaries`; finite, >= 0.

    Raises:
        ValueError: if a number is out of range, `boundaries` does not increase, or the
            lengths do not fit.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        He et al., "Deep Residual Learning for Image Recognition", 2015,
        arXiv:1512.03385, section 4.2: the rate is divided by 10 at two boundaries.

    Example:
        >>> Piecewise([2, 5], [0.1, 0.01, 0.001]).values(7)
        array([0.1  , 0.1  , 0.01 , 0.01 , 0.01 , 0.001, 0.001])
    """

    integer_steps = True
    between_rates = True

    boundaries: tuple[float, ...] = boundaries("steps at which the value changes")
    levels: tuple[float, ...] = rates("values between the boundaries")

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every field."""
        values = super().bind(*args, **kwargs)
        check_pieces("levels", values.levels, values.boundaries)
        return values

    @property
    def takes_span(self) -> bool:
        """Whether a boundary is left to the training."""
        return has_shares(self._values.boundaries)

    def lengths(self, span: Span, rest: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return the arguments that depend on the training, with their values in it."""
        return {"boundaries": [span.moment(b) for b in self._values.boundaries]}

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        return in_turn(self.levels, self.boundaries, step, ops)

    @property
    def _horizon(self) -> int:
        return int(5 * max(self.boundaries, default=80) // 4)
