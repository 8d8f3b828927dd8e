"""Check, before training begins, that the values of a schedule are in a legal range.

The schedule is evaluated at steps up to its horizon: both ends, every number of steps
among its arguments, and points between, a thousand if evaluation needs no device. The
horizon of a schedule from elsewhere is derived from the numbers of steps among its
arguments.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.number_checks import Interval, as_number
from keras_optlab.core.spans import Span, needs_span, over
from keras_optlab.core.with_inner import arguments_of, with_inner

MANY = 1000  # points, if NumPy or Python computes the values
EPOCHS = 100  # of MANY updates, for a schedule without a length
FEW = 8  # points, if a backend does, which may compile for each
UNKNOWN_HORIZON = 100
FAILED = object()


def first_illegal(
    schedule: LearningRateSchedule, interval: Interval, integer: bool = False
) -> tuple[int, Any] | None:
    """Return a step at which the value is illegal, with the value, or `None`.

    A schedule that cannot be evaluated here counts as legal. So does an excluded end of
    the range as the value at the horizon, which is after the last update.

    Args:
        schedule: Any schedule.
        interval: The legal range.
        integer: Whether values are rounded to integers.
    """
    if needs_span(schedule):
        span = Span(0, MANY, EPOCHS)
        schedule = over(schedule, span, span.last)
    if _is_surely_legal(schedule, interval):
        return None
    steps, numbers = [], []
    for step, value in _samples(schedule):
        number = as_number(value)
        if number is None:
            return (step, value) if _is_no_number(value) else None
        steps.append(step)
        numbers.append(number)
    values = np.round(numbers) if integer else np.array(numbers, "float64")
    legal = interval.nearly_hold(values)
    if values.size and getattr(schedule, "horizon", None) == steps[-1]:
        legal[-1] |= values[-1] in (interval.low, interval.high)
    wrong = np.flatnonzero(~legal)
    return (steps[wrong[0]], float(values[wrong[0]])) if wrong.size else None


def _is_surely_legal(schedule: Any, interval: Interval) -> bool:
    """Return whether Keras' schedules are legal by their arguments, without evaluation.

    Keras' schedules compute means and products of their numbers. Schedules of
    keras_optlab multiply the values of those they wrap, which may exceed an upper end
    of the range. Evaluation may take long.
    """
    foreign = [part for part in with_inner(schedule) if _is_foreign(part)]
    alone = foreign == [schedule] or (foreign and interval.text == ">= 0")
    return bool(alone) and all(
        _is_of_keras(part) and all(x in interval for x in _numbers(part))
        for part in foreign
    )


def _samples(schedule: Any) -> Iterator[tuple[int, Any]]:
    """Yield steps and values: fewer steps where evaluation is expensive."""
    if not any(map(_is_foreign, with_inner(schedule))):
        steps = _steps(schedule, MANY)
        values = _evaluated(schedule, np.array(steps, "float64"))
        if isinstance(values, np.ndarray) and values.shape == (len(steps),):
            yield from zip(steps, values.tolist(), strict=True)
            return
    start = None if _is_of_keras(schedule) else _evaluated(schedule, 0)
    cheap = isinstance(start, int | float | np.generic | np.ndarray)
    steps = _steps(schedule, MANY if cheap else FEW)
    values = None if cheap else _compiled(schedule, steps)
    if values is not None:
        yield from zip(steps, values, strict=True)
        return
    for step in steps:
        value = _evaluated(schedule, step)
        if value is FAILED:
            return
        yield step, value


def _compiled(schedule: Any, steps: list[int]) -> Any:
    """Return all values from one compiled loop on JAX, else or if it fails `None`.

    JAX recompiles each condition of a schedule in every separate call.
    """
    if keras.backend.backend() != "jax":
        return None
    with contextlib.suppress(Exception):  # a user's schedule may raise anything
        values = ops.map(schedule, ops.convert_to_tensor(steps, "int32"))
        values = ops.convert_to_numpy(values)
        return values if values.shape == (len(steps),) else None
    return None


def _evaluated(schedule: Any, step: Any) -> Any:
    """Return the value of a step, or `FAILED` if there is none."""
    for argument in (lambda: step, lambda: ops.convert_to_tensor(step)):
        with contextlib.suppress(Exception):  # a user's schedule may raise anything
            return schedule(argument())
    return FAILED


def _steps(schedule: Any, most: int) -> list[int]:
    """Return the steps to evaluate: evenly spaced and by argument, `most` of each."""
    marks = {n for part in with_inner(schedule) for n in _lengths(part)}
    last = max(marks, default=UNKNOWN_HORIZON)
    horizon = int(getattr(schedule, "horizon", last + _is_of_keras(schedule)))
    if most >= MANY or _is_of_keras(schedule):
        sums = {a + b for a in marks for b in marks} if len(marks) < 30 else set()
        marks |= sums | {n - 1 for n in marks} | {n + 1 for n in marks}
    between = np.linspace(0, horizon, min(most, horizon + 1)).astype(int).tolist()
    marks = {n for n in marks if 0 <= n <= horizon}
    return sorted({*between, *sorted(marks)[:most]})


def _lengths(schedule: Any) -> Iterator[int]:
    """Yield the numbers of steps among the arguments of one schedule."""
    for name, value in arguments_of(schedule).items():
        if _counts_steps(name):
            for n in value if isinstance(value, list | tuple) else [value]:
                number = as_number(n)
                if number is not None and np.isfinite(number):
                    yield int(number)


def _numbers(schedule: Any) -> list[float]:
    """Return the other numbers among the arguments of a schedule."""
    given = [
        entry
        for name, value in arguments_of(schedule).items()
        if not _counts_steps(name)
        for entry in (value if isinstance(value, list | tuple) else [value])
    ]
    return [x for x in map(as_number, given) if x is not None]


def _counts_steps(name: str) -> bool:
    return "step" in name or "boundar" in name


def _is_foreign(schedule: Any) -> bool:
    return not hasattr(schedule, "formula")


def _is_of_keras(schedule: Any) -> bool:
    return type(schedule).__module__.startswith("keras.")


def _is_no_number(value: Any) -> bool:
    """Return whether a value is surely not a number, unlike a symbolic scalar."""
    if value is None or isinstance(value, str | bool | complex | list | tuple):
        return True
    shape = getattr(value, "shape", None)
    return (
        shape is not None
        and len(shape) > 0
        and not isinstance(value, keras.KerasTensor)
    )
