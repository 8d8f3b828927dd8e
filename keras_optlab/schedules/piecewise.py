"""Constant pieces."""

from __future__ import annotations

from typing import Any

from keras_optlab.core.values import Values
from keras_optlab.schedules.arguments import boundaries, check_pieces, rates
from keras_optlab.schedules.base import Schedule
from keras_optlab.schedules.join import in_turn


class Piecewise(Schedule):
    """A list of values, each held until the step at which the next one begins.

        value(t) = levels[i]    for boundaries[i - 1] <= t < boundaries[i]

    Equal to torch's `MultiStepLR(milestones=boundaries, gamma)` where each level is
    `gamma` times the one before, and to `optax.piecewise_constant_schedule`, which
    takes the first level and the quotients. Keras' `PiecewiseConstantDecay` changes one
    update later: this is its `PiecewiseConstantDecay([b - 1 for b in boundaries],
    levels)`.

    Args:
        boundaries: The steps, counted in updates, at which the value changes; integers
            > 0 in increasing order.
        levels: The values, one more than `boundaries`; finite, >= 0.

    Raises:
        ValueError: if an argument is out of range or order, or one too long.
        TypeError: if an argument is missing or of the wrong kind.

    Source:
        He et al., "Deep Residual Learning for Image Recognition", 2015,
        arXiv:1512.03385, section 4.2, with a tenth at two boundaries.

    Example:
        >>> Piecewise([2, 5], [0.1, 0.01, 0.001]).values(7)
        array([0.1  , 0.1  , 0.01 , 0.01 , 0.01 , 0.001, 0.001])
    """

    integer_steps = True

    boundaries: tuple[int, ...] = boundaries("steps at which the value changes")
    levels: tuple[float, ...] = rates("values between the boundaries")

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every field."""
        values = super().bind(*args, **kwargs)
        check_pieces("levels", values.levels, values.boundaries)
        return values

    def formula(self, step: Any, ops: Any) -> Any:
        """Value at `step`."""
        return in_turn(self.levels, self.boundaries, step, ops)

    @property
    def horizon(self) -> int:
        """How many updates show what there is to see of it."""
        return 5 * max(self.boundaries, default=80) // 4
