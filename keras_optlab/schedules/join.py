"""One schedule after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.ends import end_of
from keras_optlab.core.values import Values
from keras_optlab.schedules.arguments import boundaries, check_pieces, rates
from keras_optlab.schedules.base import Schedule, horizon_of, value_of
from keras_optlab.schedules.curves import before, since


class Join(Schedule):
    """One schedule after the other, each counting its own steps from where it begins.

        value(t) = schedules[i](t - boundaries[i - 1])

    for boundaries[i - 1] <= t < boundaries[i].

    Equal to `optax.join_schedules(schedules, boundaries)` and to torch's
    `SequentialLR(schedulers, milestones=boundaries)`. `Warmup` differs from a `Join`
    with a line in that the line ends where the other schedule starts, whatever that is.

    Args:
        schedules: The parts: schedules of this package or of Keras, or numbers, finite
            and >= 0, to stay at.
        boundaries: The steps, counted in updates, at which the next part begins;
            integers > 0 in increasing order, one fewer than `schedules`.

    Raises:
        ValueError: if an argument is out of range or order, or one too long.
        TypeError: if an argument is missing or of the wrong kind.

    Example:
        >>> from keras_optlab.schedules import Linear
        >>> Join([0.1, Linear(0.1, steps=4)], boundaries=[2]).values(7)
        array([0.1  , 0.1  , 0.1  , 0.075, 0.05 , 0.025, 0.   ])
    """

    integer_steps = True

    schedules: tuple[float | LearningRateSchedule, ...] = rates(
        "parts", or_schedule=True
    )
    boundaries: tuple[int, ...] = boundaries("steps at which the next part begins")

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every field."""
        values = super().bind(*args, **kwargs)
        check_pieces("schedules", values.schedules, values.boundaries)
        return values

    def formula(self, step: Any, ops: Any) -> Any:
        """Value at `step`."""
        return in_turn(self.schedules, self.boundaries, step, ops)

    @property
    def end(self) -> int | None:
        """Step from which on the value stays where it has been led; `None` without."""
        end = end_of(self.schedules[-1])
        return None if end is None else max(self.boundaries, default=0) + end

    @property
    def horizon(self) -> int:
        """How many updates show what there is to see of it."""
        return max(self.boundaries, default=0) + horizon_of(self.schedules[-1])


def in_turn(
    pieces: Sequence[Any], boundaries: Sequence[int], step: Any, ops: Any
) -> Any:
    """Value at `step` of the piece whose turn it is, counted from its own beginning."""
    value = value_of(pieces[0], step, ops)
    for begin, piece in zip(boundaries, pieces[1:], strict=True):
        following = value_of(piece, since(begin, step, ops), ops)
        value = ops.where(before(begin, step, ops), value, following)
    return value
