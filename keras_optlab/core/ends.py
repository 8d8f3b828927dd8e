"""The step at which a schedule reaches its final value, and its largest value."""

from __future__ import annotations

from typing import Any

from keras.optimizers.schedules import CosineDecay, PolynomialDecay


def end_of(schedule: Any) -> int | None:
    """Return the step from which on a schedule keeps its final value.

    Return `None` if there is no such step or it is unknown. Schedules of keras_optlab
    have a property `end`. Two of Keras' schedules have a known end: `CosineDecay`, and
    `PolynomialDecay` without `cycle`.

    >>> end_of(CosineDecay(0.1, 100, warmup_target=0.2, warmup_steps=10))
    110
    >>> end_of(PolynomialDecay(0.1, 100, cycle=True)) is None
    True
    """
    if isinstance(schedule, CosineDecay):
        rise = 0 if schedule.warmup_target is None else schedule.warmup_steps
        return int(schedule.decay_steps + rise)
    if isinstance(schedule, PolynomialDecay):
        return None if schedule.cycle else int(schedule.decay_steps)
    end = getattr(schedule, "end", None)
    return end if isinstance(end, int) else None


def largest_of(schedule: Any) -> float | None:
    """Return the largest value of a schedule or number, or `None` if it is unknown.

    Schedules of keras_optlab have a property `largest`.

    >>> from keras_optlab.schedules import OneCycle
    >>> largest_of(OneCycle(0.1)), largest_of(0.3), largest_of(lambda step: 0.1)
    (0.1, 0.3, None)
    """
    largest = schedule if isinstance(schedule, int | float) else None
    return getattr(schedule, "largest", largest)
