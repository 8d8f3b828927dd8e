"""The base of all schedules: evaluation on any backend, and serialization."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops as keras_ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core import Declared


class Schedule(Declared, LearningRateSchedule):
    """A value as a pure function of the step, given by its arguments and one formula.

    A subclass declares its arguments in the order of its constructor and defines
    `formula`. It is registered with `keras.saving` under the name of its top-level
    package. A schedule does not change once made, so that it cannot come apart from a
    training step that was compiled with it.

    Example:
        >>> from keras_optlab.schedules.arguments import rate, steps
        >>> class Linear(Schedule):
        ...     initial: float = rate("value at step 0")
        ...     steps: int = steps("time until 0")
        ...
        ...     def formula(self, step, ops):
        ...         return self.initial * (1 - ops.clip(step / self.steps, 0, 1))
        >>> Linear(0.1, steps=4).values(6)
        array([0.1  , 0.075, 0.05 , 0.025, 0.   , 0.   ])
    """

    def formula(self, step: Any, ops: Any) -> Any:
        """Value at `step`, a float array or tensor; `ops` is `numpy` or `keras.ops`."""
        raise NotImplementedError(
            f"{type(self).__name__} must define `formula(self, step, ops)`."
        )

    def __call__(self, step: Any) -> Any:
        """Value at `step`, counted in updates from 0.

        Args:
            step: A Python number or a NumPy array, to get a float or an array computed
                in float64; or a Keras variable or a tensor, inside a compiled function
                or not, to get a tensor (float32, or float64 where that is `floatx`).
        """
        if isinstance(step, int | float | np.generic | np.ndarray):
            value = self.formula(np.asarray(step, "float64"), np)
            return value if np.ndim(step) else float(value)
        # A half-precision floatx could not even count the steps.
        dtype = "float64" if keras.config.floatx() == "float64" else "float32"
        return self.formula(keras_ops.cast(step, dtype), keras_ops)

    def values(self, n: int) -> np.ndarray:
        """Values of the first `n` steps as a float64 array, to plot or to check."""
        return self(np.arange(n))


def value_of(schedule: Any, step: Any, ops: Any) -> Any:
    """Value at `step` of a number, a `Schedule` or any other schedule of Keras.

    A formula calls this for what it wraps; `step` and `ops` are the formula's own.
    """
    if isinstance(schedule, Schedule):
        return schedule.formula(step, ops)
    if not isinstance(schedule, LearningRateSchedule):
        return schedule
    if ops is not np:
        return schedule(step)
    # Keras' own schedules promise nothing for more than one step at a time.
    one_by_one = np.vectorize(
        lambda s: keras_ops.convert_to_numpy(schedule(s)), otypes=["float64"]
    )
    return one_by_one(step)
