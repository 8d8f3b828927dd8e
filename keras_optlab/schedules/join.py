"""A sequence of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.ends import end_of
from keras_optlab.core.spans import Span, at_least_one, needs_span, over
from keras_optlab.core.values import Values
from keras_optlab.schedules.arguments import boundaries, check_pieces, rates
from keras_optlab.schedules.base import Schedule, horizon_of, value_of
from keras_optlab.schedules.curves import before, since


class Join(Schedule):
    """A sequence of schedules, each of which counts its own steps from 0.

        value(t) = schedules[i](t - boundaries[i - 1])

    for boundaries[i - 1] <= t < boundaries[i].

    Equal to `optax.join_schedules(schedules, boundaries)` and to torch's
    `SequentialLR(schedulers, milestones=boundaries)`. `Warmup` differs from a `Join`
    with `Linear`: its line always ends at the first value of the other schedule.

    Args:
        schedules: The parts: schedules of this package or of Keras, or numbers, finite
            and >= 0, for constant parts.
        boundaries: The steps, counted in updates, at which the next part begins;
            integers > 0, or shares of the training in (0, 1), in increasing order; one
            fewer than `schedules`. A part without a length fills its time.

    Raises:
        ValueError: if a number is out of range, `boundaries` does not increase, or the
            lengths do not fit.
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
    boundaries: tuple[float, ...] = boundaries("steps at which the next part begins")

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every field."""
        values = super().bind(*args, **kwargs)
        check_pieces("schedules", values.schedules, values.boundaries)
        return values

    @property
    def takes_span(self) -> bool:
        """Whether a boundary is left to the training; without inner schedules."""
        return has_shares(self._values.boundaries)

    def lengths(self, span: Span, rest: Any) -> dict[str, Any]:
        """Return the arguments that depend on the training, with their values in it."""
        boundaries = [span.moment(b) for b in self._values.boundaries]
        begins, ends = [0, *boundaries], [*boundaries, rest]
        schedules = [
            over(schedule, span, at_least_one(end - begin))
            for schedule, begin, end in zip(
                self._values.schedules, begins, ends, strict=True
            )
        ]
        return {"schedules": schedules, "boundaries": boundaries}

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        return in_turn(self.schedules, self.boundaries, step, ops)

    @property
    def end(self) -> int | None:
        """First step of the constant final value, or `None`."""
        end = None if needs_span(self) else end_of(self.schedules[-1])
        return None if end is None else int(max(self.boundaries, default=0)) + end

    @property
    def _horizon(self) -> int:
        return int(max(self.boundaries, default=0)) + horizon_of(self.schedules[-1])


def has_shares(boundaries: Sequence[float]) -> bool:
    """Return whether boundaries are shares of the training."""
    return any(type(b) is float for b in boundaries)


def in_turn(
    pieces: Sequence[Any], boundaries: Sequence[float], step: Any, ops: Any
) -> Any:
    """Return the value at `step` of the active piece, which counts from its start."""
    value = value_of(pieces[0], step, ops)
    for begin, piece in zip(boundaries, pieces[1:], strict=True):
        following = value_of(piece, since(begin, step, ops), ops)
        value = ops.where(before(begin, step, ops), value, following)
    return value
