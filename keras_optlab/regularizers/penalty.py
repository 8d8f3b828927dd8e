"""Base class of the penalties, whose factors can change during training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_optlab.core import Declared
from keras_optlab.core.fields import HyperField, as_number


class Penalty(Declared, keras.regularizers.Regularizer):
    """A factor times a measure of a tensor; a callback can change the factor.

    A factor is a Python number, and so a constant of a compiled step, until a callback
    that changes it gives the penalty variables, in `scalars`.

    >>> class LogPenalty(Penalty):
    ...     "LogPenalty: factor * sum of log(1 + |w|)."
    ...     factor: float = Factor(doc="strength", default=0.01)
    ...     def __call__(self, x):
    ...         return self.weighted("factor", self.measure, x)
    ...     def measure(self, x):
    ...         return ops.sum(ops.log1p(ops.abs(x)))
    >>> dense = keras.layers.Dense(1, kernel_regularizer=LogPenalty(0.5))
    >>> float(LogPenalty(0.5)(ops.zeros((2, 3))))
    0.0
    """

    def weighted(self, factor: str, measure: Callable[[Any], Any], x: Any) -> Any:
        """Return the named factor times a measure of a tensor, in its dtype."""
        x = ops.convert_to_tensor(x)
        if self.scalars is None and getattr(self, factor) == 0:
            return ops.zeros((), x.dtype)
        return self.strength(factor, x.dtype) * ops.cast(measure(x), x.dtype)

    def strength(self, factor: str, dtype: Any) -> Any:
        """Return a factor's current value: a number, or a tensor if it can change."""
        if self.scalars is None:
            return getattr(self, factor)
        return ops.cast(ops.convert_to_tensor(self.scalars.variables[factor]), dtype)


class FactorField(HyperField):
    """A number that can change during training, but is not given by a schedule."""

    def validate(self, value: Any) -> Any:
        """Return a float, or raise; a regularizer cannot know a schedule's step."""
        if as_number(value) is None:
            refusal = self.refuse(f"a number {self.domain}", value, TypeError)
            raise TypeError(
                f"{refusal}. For a schedule, construct with a number and use "
                f"callbacks.HyperparameterScheduler({self.name!r}, schedule, "
                "of=regularizer)."
            )
        return super().validate(value)


def Factor(*, doc: str, default: float = 0.01) -> Any:
    """Declare the factor of a penalty: a finite number >= 0."""
    return FactorField(">= 0", True, False, default=default, doc=doc)
