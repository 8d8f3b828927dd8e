"""Spans: the updates that a schedule without a length of its own runs over.

`Cosine(1e-3)` has no length. Within `fit`, its length is that of the `fit`: an
optimizer evaluates it at a `Moment`, which has the span of the running `fit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_optlab.core.numerics import scalar_dtype
from keras_optlab.core.with_inner import with_inner


@dataclass(frozen=True)
class Span:
    """Consecutive updates, such as all updates of one `fit`.

    Attributes:
        begin: First update, counted from 0.
        updates: Number of updates; > 0.
        epochs: Number of epochs; 0 if unknown.

    All are integers. In a compiled step they are tensors: `begin` an integer, the
    others floats.

    >>> span = Span(begin=40, updates=100, epochs=5)
    >>> span.last, span.length(0.25, None, rest=99), span.length(None, 2, rest=99)
    (99, 25, 40)
    """

    begin: Any
    updates: Any
    epochs: Any

    @property
    def last(self) -> Any:
        """Steps from the first update to the last; at least 1."""
        return at_least_one(self.updates - 1)

    def length(self, steps: float | None, epochs: float | None, rest: Any) -> Any:
        """Return a length in updates.

        Args:
            steps: An integer is updates, a float in (0, 1) a share of the span.
            epochs: The length in epochs, if not `None`.
            rest: The length if neither is given.
        """
        if epochs is not None:
            return self._rounded(epochs * self.updates / self.epochs)
        if steps is None:
            return rest
        return self.moment(steps)

    def moment(self, boundary: float) -> Any:
        """Return a time since the beginning in updates, given as updates or a share."""
        is_share = isinstance(boundary, float)
        return self._rounded(boundary * self.updates) if is_share else boundary

    def _rounded(self, x: Any) -> Any:
        return at_least_one(round(x) if isinstance(x, float) else ops.round(x))


def at_least_one(x: Any) -> Any:
    """Return the larger of `x`, a number or a tensor, and 1."""
    return max(x, 1) if isinstance(x, int) else ops.maximum(x, 1)


START = Span(0, 100, 1)  # where nothing trains yet: only its first update is read


@dataclass(frozen=True)
class Moment:
    """The update at which schedules are evaluated.

    Attributes:
        step: Number of updates before it: an integer, a variable or a tensor.
        span: The span of the training; `None` if it is not known yet.
    """

    step: Any
    span: Span | None

    def value(self, schedule: Any) -> Any:
        """Return the value of any schedule.

        Without a span, the value of a schedule that needs one is its first value.
        """
        if not needs_span(schedule):
            return schedule(self.step)
        if self.span is None:
            return value_over(schedule, 0, START)
        return value_over(schedule, self.step, self.span)


def needs_span(schedule: Any) -> bool:
    """Return whether a schedule, or one inside it, takes a length from a span."""
    return any(getattr(part, "takes_span", False) for part in with_inner(schedule))


def value_over(schedule: Any, step: Any, span: Span) -> Any:
    """Return the value at `step` of a schedule that needs a span."""
    bound = over(schedule, span, span.last)
    if isinstance(step, int):
        return bound(max(step - span.begin, 0))
    step = ops.convert_to_tensor(step)
    elapsed = step - ops.cast(span.begin, keras.backend.standardize_dtype(step.dtype))
    return bound(ops.cast(ops.relu(elapsed), scalar_dtype()))


def over(schedule: Any, span: Span, rest: Any) -> Any:
    """Return a schedule, or a number, with its lengths taken from a span.

    Args:
        schedule: The schedule. One that does not need a span is returned as it is.
        span: The span.
        rest: The steps until the last update of the span.

    Raises:
        TypeError: if a schedule of Keras or of a user wraps one that needs a span.
    """
    if not needs_span(schedule):
        return schedule
    if not hasattr(schedule, "over"):
        raise TypeError(
            "A schedule without a length of its own must be used directly, or inside "
            f"a schedule of keras_optlab. Received: one inside {schedule!r}. Give it a "
            "length: pass `steps`, in updates."
        )
    return schedule.over(span, rest)


def needs_epochs(schedule: Any) -> bool:
    """Return whether a schedule, or one inside it, has a length in epochs of a span."""
    parts = [x for x in with_inner(schedule) if getattr(x, "takes_span", False)]
    return any(getattr(x, "epochs", None) is not None for x in parts)
