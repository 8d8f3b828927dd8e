"""The schedules inside a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras.optimizers.schedules import LearningRateSchedule


def with_inner(schedule: Any) -> Iterator[Any]:
    """Yield a schedule and all schedules that it wraps, at any depth."""
    yield schedule
    for value in arguments_of(schedule).values():
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, LearningRateSchedule):
                yield from with_inner(inner)


def arguments_of(schedule: Any) -> dict[str, Any]:
    """Return a schedule's arguments, as far as its attributes show them."""
    values = getattr(schedule, "__dict__", {})
    return vars(values["_values"]) if "_values" in values else values
