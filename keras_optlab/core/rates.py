"""Learning rates: accepted types, validation and declaration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core.errors import shown
from keras_optlab.core.fields import Field, as_number, check_schedule
from keras_optlab.core.number_checks import Interval, in_step_precision

FloatOrSchedule = float | LearningRateSchedule
LearningRateLike = float | LearningRateSchedule | Callable[..., Any]


LEGAL = Interval(">= 0")


def check_rate(value: Any) -> Any:
    """Validate a learning rate; return a float, or the same schedule or callable.

    A callable is not called, since it may use objects that are created later.
    """
    number = as_number(value)
    if number is not None:
        if in_step_precision(number) not in LEGAL:
            raise ValueError(
                "expected a finite number >= 0, a schedule, or a callable. "
                f"Received: learning_rate={shown(value)}"
            )
        return number
    if isinstance(value, LearningRateSchedule):
        check_schedule("learning_rate", "expected", value, LEGAL)
        return value
    if not callable(value) or isinstance(value, type):
        advice = ". This is the class; make an object of it." * isinstance(value, type)
        raise TypeError(
            "expected a number, a schedule, or a callable of no argument or of the "
            f"step. Received: learning_rate={shown(value)}{advice}"
        )
    takes_step(value)
    return value


def takes_step(rate: Any) -> bool:
    """Return whether a callable takes the step; raise if it needs more arguments."""
    try:
        parameters = inspect.signature(rate).parameters.values()
    except ValueError:  # a function written in C
        raise TypeError(
            "a callable learning rate must have a signature. "
            f"Received: learning_rate={shown(rate)}. Wrap it in a lambda."
        ) from None
    needed = [
        p
        for p in parameters
        if p.default is p.empty
        and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) > 1:
        raise TypeError(
            "a callable learning rate takes no argument or the step. "
            f"Received: one with {len(needed)} arguments, {rate!r}"
        )
    return len(needed) == 1


def called(rate: Any, step: Any) -> Any:
    """Return the value of a callable learning rate at a step, an integer tensor.

    Raises:
        TypeError: if it computes with the integer and other numbers on TensorFlow,
            which converts none.
    """
    if not takes_step(rate):
        return rate()
    try:
        return rate(step)
    except TypeError as error:
        if "int64" not in str(error):
            raise
        raise TypeError(
            "expected a learning rate for the step, an int64 tensor, which TensorFlow "
            f"does not combine with other numbers. Received: {error} Begin the "
            "function with `step = keras.ops.cast(step, 'float32')`."
        ) from error


class LearningRateField(Field):
    """The learning rate, which Keras' base class stores."""

    adjustable = True
    integer = False
    domain = LEGAL.text
    interval = LEGAL

    def validate(self, value: Any) -> Any:
        """Return a float, or the same schedule or callable."""
        try:
            return check_rate(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"`{self.name}`: {error}") from None


def LearningRate(*, default: float) -> Any:
    """Declare the learning rate."""
    return LearningRateField(default, "step size η", keras_owned=True)
