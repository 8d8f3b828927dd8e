"""The bases of all schedules: evaluation on any backend, length, serialization."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops as keras_ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core import Declared, Hyper
from keras_optlab.core.ends import end_of
from keras_optlab.core.values import Values
from keras_optlab.schedules.arguments import count, factor, rate
from keras_optlab.schedules.curves import as_float
from keras_optlab.schedules.plot import draw

ENDLESS = 100  # updates to show of what has neither an end nor a unit of time


class Schedule(Declared, LearningRateSchedule):
    """A value as a pure function of the step, given by its arguments and one formula.

    A subclass declares its arguments in the order of its constructor and defines
    `formula`; one that has a length in steps derives from `Timed`. It is registered
    with `keras.saving` under the name of its top-level package. A schedule does not
    change once made, so that it cannot come apart from a training step that was
    compiled with it.

    A schedule times a number is a `Scaled` schedule.

    Attributes:
        integer_steps: Whether `formula` takes integer steps as such.

    Example:
        >>> from keras_optlab.schedules.arguments import rate
        >>> class Harmonic(Schedule):
        ...     initial: float = rate("value at step 0")
        ...
        ...     def formula(self, step, ops):
        ...         return self.initial / (1 + step)
        >>> Harmonic(0.6).values(4)
        array([0.6 , 0.3 , 0.2 , 0.15])
        >>> (Harmonic(0.6) * 10)(1)
        3.0
    """

    integer_steps: ClassVar[bool] = False

    def formula(self, step: Any, ops: Any) -> Any:
        """Value at `step`; `ops` is `numpy` or `keras.ops`.

        The step is a float array or tensor. Where the class sets `integer_steps`, a
        tensor is an integer one, if the caller's is: float32 cannot count beyond
        2**24. The functions of `curves` take it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `formula(self, step, ops)`."
        )

    def __call__(self, step: Any) -> Any:
        """Value at `step`, counted in updates from 0.

        Args:
            step: A Python number or a NumPy array, >= 0, to get a float or an array
                computed in float64; or a Keras variable or a tensor, inside a compiled
                function or not, to get a tensor (float32, or float64 where that is
                `floatx`).
        """
        if isinstance(step, int | float | np.generic | np.ndarray):
            steps = np.asarray(step, "float64")
            if not np.all(steps >= 0):
                raise ValueError(f"`step` must be >= 0. Received: step={step!r}")
            value = value_of(self, steps, np)
            return value if np.ndim(step) else float(value)
        return as_float(value_of(self, _counted(step), keras_ops), keras_ops)

    def __mul__(self, factor: float) -> Any:
        """Return this schedule with all its values multiplied by a number."""
        return Scaled(self, factor)

    __rmul__ = __mul__

    @property
    def end(self) -> int | None:
        """Step from which on the value stays where it has been led; `None` without.

        What goes on for ever has no end, nor has what stays at a level that was given
        to train at: the number behind a warm-up, the last level of `Piecewise`.
        """
        return None

    @property
    def horizon(self) -> int:
        """How many updates show what there is to see of it."""
        return ENDLESS

    def values(self, n: int) -> np.ndarray:
        """Values of the first `n` steps as a float64 array, to plot or to check."""
        return self(np.arange(count("n", n)))

    def plot(self, n: int | None = None, ax: Any = None) -> Any:
        """Draw the values over the steps; needs matplotlib.

        Args:
            n: Number of the last step to draw; integer > 0. By default until the end,
                or a few periods of what has none.
            ax: matplotlib axes to draw into; of a new figure by default.

        Returns:
            The matplotlib axes.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        return draw(self, self.horizon if n is None else count("n", n, "> 0"), ax)


class Timed(Schedule):
    """A schedule with a length, which the constructor takes in updates or in epochs.

    A subclass declares `steps`. Instead of these its constructor takes, by name,
    `epochs` and `steps_per_epoch`; a fraction of an epoch is rounded to whole updates.
    What is kept and saved is the length in updates.

    Args:
        epochs: Length in epochs; > 0.
        steps_per_epoch: Updates in an epoch: batches, if gradients are not accumulated;
            integer > 0.

    Attributes:
        ends: Whether its value stays the same from step `steps` on.

    Raises:
        TypeError: if the length is given in both ways or in none.

    Example:
        >>> from keras_optlab.schedules.arguments import rate, steps
        >>> class Fall(Timed):
        ...     initial: float = rate("value at step 0")
        ...     steps: int = steps("time until 0")
        ...
        ...     def formula(self, step, ops):
        ...         return self.initial * ops.maximum(1 - step / self.steps, 0)
        >>> Fall(0.1, 4).values(6)
        array([0.1  , 0.075, 0.05 , 0.025, 0.   , 0.   ])
        >>> Fall(0.1, epochs=2, steps_per_epoch=469)
        Fall(initial=0.1, steps=938)
    """

    ends: ClassVar[bool] = False

    epochs: float | None = Hyper(
        default=None, doc="length in epochs", adjustable=False, kw_only=True
    )
    steps_per_epoch: int | None = Hyper(
        default=None,
        doc="updates in an epoch",
        integer=True,
        adjustable=False,
        kw_only=True,
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # The constructor takes these two, but they are no part of what it makes.
        cls.fields = cls.fields | Timed.fields
        super().__init_subclass__(**kwargs)
        cls.fields = {k: f for k, f in cls.fields.items() if k not in Timed.fields}

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every field, the length in updates."""
        epochs, steps_per_epoch = (
            field.validate(kwargs.pop(name, None))
            for name, field in Timed.fields.items()
        )
        values = super().bind(*args, **kwargs)
        given = [x is not None for x in (values.steps, epochs, steps_per_epoch)]
        if given == [True, False, False]:
            return values
        if given == [False, True, True]:
            steps = cls.fields["steps"].validate(round(epochs * steps_per_epoch))
            return values.next(steps=steps)
        raise TypeError(
            f"The length of {cls.__name__} must be given either as `steps` or as "
            f"`epochs` with `steps_per_epoch`. Received: steps={values.steps!r}, "
            f"epochs={epochs!r}, steps_per_epoch={steps_per_epoch!r}"
        )

    @property
    def end(self) -> int | None:
        """Step from which on the value stays where it has been led; `None` without."""
        return self._values.steps if self.ends else None

    @property
    def horizon(self) -> int:
        """How many updates show what there is to see of it."""
        return self._values.steps


def value_of(schedule: Any, step: Any, ops: Any) -> Any:
    """Value at `step` of a number, a `Schedule` or any other schedule of Keras.

    A formula calls this for what it wraps; `step` and `ops` are the formula's own.
    """
    if isinstance(schedule, Schedule):
        time = step if schedule.integer_steps else as_float(step, ops)
        return schedule.formula(time, ops)
    if not isinstance(schedule, LearningRateSchedule):
        return ops.full_like(as_float(step, ops), schedule)
    if ops is not np:
        return as_float(_value_of_keras(schedule, step), ops)

    # Keras' own schedules promise nothing for more than one step at a time.
    def one(s: np.float64) -> np.ndarray:
        counts = s.is_integer() and s < 2**31  # all that JAX takes
        return keras_ops.convert_to_numpy(schedule(int(s) if counts else s))

    return np.vectorize(one, otypes=["float64"])(step)


def _value_of_keras(schedule: LearningRateSchedule, step: Any) -> Any:
    """Value of a schedule that was written for the counter of an optimizer of Keras.

    That is an integer variable, which may be multiplied by 0.1; an integer tensor of
    TensorFlow may not.
    """
    try:
        return schedule(step)
    except (TypeError, ValueError):
        return schedule(as_float(step, keras_ops))


def _counted(step: Any) -> Any:
    """Return a step as a tensor of a type that is wide enough to count."""
    step = keras_ops.convert_to_tensor(step)
    dtype = keras.backend.standardize_dtype(step.dtype)
    if dtype in ("int32", "int64", "float32", "float64"):
        return step
    return keras_ops.cast(step, "float32" if "float" in dtype else "int32")


def horizon_of(schedule: Any) -> int:
    """How many updates show what there is to see of what a schedule wraps."""
    return schedule.horizon if isinstance(schedule, Schedule) else ENDLESS


class Scaled(Schedule):
    """Another schedule with all its values multiplied by a number.

        value(t) = factor · schedule(t)

    `schedule * factor` and `factor * schedule` make the same. Neither Keras, optax nor
    torch has it.

    Args:
        schedule: A schedule of this package or of Keras, or a number, finite and >= 0.
        factor: What it is multiplied by; finite, >= 0.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if an argument is missing or of the wrong kind.

    Example:
        >>> from keras_optlab.schedules import Linear
        >>> 10 * Linear(0.1, steps=4)
        Scaled(schedule=Linear(initial=0.1, steps=4, final=0.0), factor=10.0)
        >>> (10 * Linear(0.1, steps=4)).values(6)
        array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])
    """

    integer_steps = True

    schedule: float | LearningRateSchedule = rate("what is scaled", or_schedule=True)
    factor: float = factor("what it is multiplied by", within=">= 0")

    def formula(self, step: Any, ops: Any) -> Any:
        """Value at `step`."""
        return value_of(self.schedule, step, ops) * self.factor

    @property
    def end(self) -> int | None:
        """Step from which on the value stays where it has been led; `None` without."""
        return end_of(self.schedule)

    @property
    def horizon(self) -> int:
        """How many updates show what there is to see of it."""
        return horizon_of(self.schedule)
