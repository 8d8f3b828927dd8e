"""Range checks of the values that schedules and functions return in a step.

A number is checked when it is set. The value of a schedule is computed in the compiled
step, which cannot raise. A value out of range therefore makes the step a skipped step,
and the warning about skipped steps names the hyperparameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.errors import shown
from keras_optlab.core.fields import Interval
from keras_optlab.core.numerics import BetaTensor
from keras_optlab.core.types import Tensor
from keras_optlab.engine.contract import BuiltOptimizer


@dataclass(frozen=True)
class ScheduledValue:
    """A hyperparameter that a schedule or a function drives.

    Attributes:
        label: Its name, after that of its group or transform.
        interval: Its legal range.
        value_at: Returns its value, given the number of updates so far.
        in_step: Returns its value, given the `StepHyperparameters`.
    """

    label: str
    interval: Interval
    value_at: Callable[[int], Any]
    in_step: Callable[[Any], Tensor]


def scheduled_values(optimizer: BuiltOptimizer) -> Iterator[ScheduledValue]:
    """Yield all hyperparameters that schedules and functions drive now."""
    if not isinstance(optimizer.rate.source, keras.Variable):
        yield ScheduledValue(
            "learning_rate",
            optimizer.fields["learning_rate"].interval,
            lambda step: optimizer.current("learning_rate"),  # noqa: ARG005
            lambda scalars: scalars.rate,
        )
    values = optimizer.scalars.values
    yield from _scheduled(optimizer, "", values, optimizer.fields, lambda s: s.base)
    for i, group in enumerate(optimizer.groups):
        if i in optimizer.plan.shared:
            yield from _scheduled(
                optimizer,
                f"{shown(group.match)}: ",
                group.hyperparameters,
                optimizer.fields,
                lambda s, i=i: s.own[i],
            )
    stores = zip(optimizer.transforms, optimizer.transform_scalars, strict=True)
    for i, (transform, scalars) in enumerate(stores):
        yield from _scheduled(
            optimizer,
            f"{type(transform).__name__}.",
            scalars.values,
            transform.fields,
            lambda s, i=i: s.transforms[i],
        )


def _scheduled(
    optimizer: BuiltOptimizer,
    prefix: str,
    values: dict[str, Any],
    fields: dict[str, Any],
    record: Callable[[Any], Any],
) -> Iterator[ScheduledValue]:
    for name, value in values.items():
        if isinstance(value, LearningRateSchedule):
            yield ScheduledValue(
                prefix + name,
                fields[name].interval,
                lambda step, value=value: optimizer.moment(step).value(value),
                lambda s, name=name: getattr(record(s), name),
            )


def all_legal(optimizer: BuiltOptimizer, scalars: Any) -> Tensor | None:
    """Return whether all driven values of a step are legal; `None` if none is driven.

    Args:
        optimizer: The optimizer, built.
        scalars: The hyperparameters of the step.
    """
    checks = [
        _within(d.interval, d.in_step(scalars)) for d in scheduled_values(optimizer)
    ]
    return ops.all(ops.stack(checks)) if checks else None


def illegal_now(optimizer: BuiltOptimizer) -> list[str]:
    """Return the driven values that are illegal at the next update, as text."""
    step = int(ops.convert_to_numpy(optimizer.updates))
    values = [
        (d, float(ops.convert_to_numpy(d.value_at(step))))
        for d in scheduled_values(optimizer)
    ]
    return [
        f"{d.label}={value} at update {step}, expected a number {d.interval.phrase}"
        for d, value in values
        if value not in d.interval
    ]


def as_scalar(name: str, value: Any, driver: Any) -> Tensor:
    """Return the result of a schedule or function as a scalar tensor.

    Raises:
        TypeError: if it is not a number.
        ValueError: if it has more than one entry.
    """
    try:
        x = ops.convert_to_tensor(value)
    except (TypeError, ValueError):
        x = None
    if x is None or "str" in keras.backend.standardize_dtype(x.dtype):
        raise TypeError(
            f"The schedule or function for `{name}` must return a number. "
            f"Received: {value!r} from {driver!r}"
        )
    if tuple(x.shape) != ():
        raise ValueError(
            f"The schedule or function for `{name}` must return one number. "
            f"Received: a tensor of shape {tuple(x.shape)} from {driver!r}"
        )
    return x


def _within(interval: Interval, value: Any) -> Tensor:
    """Return whether a scalar tensor or a `BetaTensor` is in a range."""
    x = value.value if isinstance(value, BetaTensor) else value
    above = x >= interval.low if interval.closed[0] else x > interval.low
    below = x <= interval.high if interval.closed[1] else x < interval.high
    return ops.logical_and(ops.isfinite(x), ops.logical_and(above, below))
