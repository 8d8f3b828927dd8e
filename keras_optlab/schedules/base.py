"""Base classes of all schedules: evaluation on any backend, length, serialization."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops as keras_ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.core import Declared, Hyper
from keras_optlab.core.ends import end_of, largest_of
from keras_optlab.core.errors import shown
from keras_optlab.core.figures import new_axes
from keras_optlab.core.notebooks import code, picture
from keras_optlab.core.spans import Span, needs_epochs, needs_span, over
from keras_optlab.core.values import Values
from keras_optlab.schedules.arguments import count, factor, rate, rates_of
from keras_optlab.schedules.curves import as_float
from keras_optlab.schedules.plot import draw

POINTS = 1001  # to plot of a schedule whose length is left to the training
ENDLESS = 100  # updates to plot of a schedule without an end or a unit of time


class Schedule(Declared, LearningRateSchedule):
    """A value as a pure function of the step, defined by its arguments and one formula.

    A subclass declares its arguments in the order of its constructor and defines
    `formula`. A schedule with a length derives from `Timed`. Subclasses are
    registered with `keras.saving` under the first two parts of their module's name. A
    schedule is immutable, so it always agrees with a training step compiled with it.

    `schedule * number` is a `Scaled` schedule.

    Attributes:
        integer_steps: Whether `formula` gets integer steps without a cast to float.
        between_rates: Whether all values lie between the rates among the arguments, or
            the values of a nested schedule, and the largest of these is reached.
        takes_span: Whether a length is left to the training, as in `Cosine(1e-3)` or
            `Warmup(0.1, steps=0.05)`.

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
    between_rates: ClassVar[bool] = False

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`; `ops` is `numpy` or `keras.ops`.

        The step is a float array or tensor. If the class sets `integer_steps`, an
        integer tensor stays an integer tensor, since float32 cannot count beyond 2**24.
        The functions of `curves` take both.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `formula(self, step, ops)`."
        )

    def __call__(self, step: Any) -> Any:
        """Return the value at `step`, counted in updates from 0.

        Args:
            step: A Python number or a NumPy array, >= 0: returns a float or an array,
                computed in float64. Or a Keras variable or a tensor, inside a compiled
                function or not: returns a tensor (float32, or float64 if that is
                `floatx`).

        Raises:
            ValueError: if the step is negative, or the length is left to the training.
        """
        if needs_span(self):
            raise ValueError(
                "A schedule whose length is left to the training works in the "
                "optimizers and callbacks of keras_optlab only, which know the length. "
                f"Received: a call of {self!r}. Give it a length, `steps` in updates; "
                "or call `values(n)` for its values in a training of `n` updates."
            )
        if isinstance(step, int | float | np.generic | np.ndarray):
            steps = np.asarray(step, "float64")
            if not np.all(steps >= 0):
                raise ValueError(f"`step` must be >= 0. Received: step={shown(step)}")
            value = value_of(self, steps, np)
            return value if np.ndim(step) else float(value)
        return as_float(value_of(self, _counted(step), keras_ops), keras_ops)

    def __mul__(self, factor: float) -> Any:
        """Return this schedule with all its values multiplied by a number."""
        return Scaled(self, factor)

    __rmul__ = __mul__

    @property
    def takes_span(self) -> bool:
        """Whether a length is left to the training; without inner schedules."""
        return False

    def over(self, span: Span, rest: Any) -> Any:
        """Return a copy with all lengths, as they are in a training.

        Args:
            span: The updates of the training.
            rest: Steps from the beginning of this schedule to the last update.
        """
        new = copy.copy(self)
        new._values = self._values.next(**self.lengths(span, rest))
        return new

    def lengths(self, span: Span, rest: Any) -> dict[str, Any]:
        """Return the arguments that depend on the training, with their values in it."""
        arguments = dict(self._values.items())
        return {k: over(v, span, rest) for k, v in arguments.items() if needs_span(v)}

    @property
    def end(self) -> int | None:
        """First step of the constant final value, or `None`.

        An endless schedule has no end, and the end of a schedule without a length is
        not known. A constant level to train at is no end either: the number after a
        warm-up, the last level of `Piecewise`.
        """
        return None

    @property
    def largest(self) -> float | None:
        """The largest value, or `None` if it is not known."""
        found = [largest_of(rate) for rate in rates_of(self)]
        known = [x for x in found if x is not None]
        return max(known) if self.between_rates and known == found else None

    @property
    def horizon(self) -> int:
        """Number of updates that show the shape of the curve, if it has a length."""
        return ENDLESS if needs_span(self) else self._horizon

    @property
    def _horizon(self) -> int:
        return ENDLESS

    def values(self, n: int) -> np.ndarray:
        """Return the values of the first `n` steps as a float64 array.

        If the length is left to the training, they are those of a training of `n`
        updates.

        Raises:
            ValueError: if a length is in epochs of the training.
        """
        n = count("n", n)
        if needs_epochs(self):
            raise ValueError(
                "The number of updates in an epoch is not known. "
                f"Received: {self!r}. Give it `steps_per_epoch`."
            )
        span = Span(0, n, 0)
        return over(self, span, span.last)(np.arange(n))

    def plot(self, n: int | None = None, ax: Any = None) -> Any:
        """Draw the values over the steps; needs matplotlib.

        If the length is left to the training, the axis shows shares of it, from 0 to 1,
        or the steps of a training of `n` updates.

        Args:
            n: Last step to draw; integer > 0. Defaults to the end of the schedule, or
                to a few periods of a schedule without an end.
            ax: matplotlib axes to draw into. Defaults to the axes of a new figure.

        Returns:
            The matplotlib axes.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        if n is not None:
            n = count("n", n, "> 0")
        if not needs_span(self):
            return draw(self, self.values((n or self.horizon) + 1), ax)
        if n is None:
            shares = np.linspace(0.0, 1.0, POINTS)
            return draw(self, self.values(POINTS), ax, shares, "share of the training")
        return draw(self, self.values(n), ax)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the arguments, and the curve."""
        if needs_epochs(self):
            return code(self)
        curve = picture(
            lambda: self.plot(ax=new_axes((4.5, 2.0))).figure, f"Curve of {self!r}"
        )
        return code(self) + curve


class Timed(Schedule):
    """A schedule with a length in updates, in epochs or as a share of the training.

    A subclass declares `steps`. Its constructor takes `steps`, or the keywords `epochs`
    and `steps_per_epoch`, whose product is rounded to whole updates. Without
    `steps_per_epoch`, `epochs` are those of the `fit` that the schedule runs in.

    Without any of them the schedule spans the training: from the first update of the
    `fit` it runs in to the last one, whose value is the final value.

    Args:
        epochs: Length in epochs; > 0.
        steps_per_epoch: Updates per epoch: batches per epoch, if gradients are not
            accumulated; integer > 0.

    Attributes:
        ends: Whether the value is constant from step `steps` on.

    Raises:
        TypeError: if the length is given in both ways, or `steps_per_epoch` alone.

    Example:
        >>> from keras_optlab.schedules.arguments import rate, steps
        >>> class Fall(Timed):
        ...     initial: float = rate("value at step 0")
        ...     steps: float = steps("time until 0")
        ...
        ...     def formula(self, step, ops):
        ...         return self.initial * ops.maximum(1 - step / self.steps, 0)
        >>> Fall(0.1, 4).values(6)
        array([0.1  , 0.075, 0.05 , 0.025, 0.   , 0.   ])
        >>> Fall(0.1, epochs=2, steps_per_epoch=469)
        Fall(initial=0.1, steps=938)
        >>> Fall(0.1).values(3), Fall(0.1, 0.5).values(4)  # all, and half of a training
        (array([0.1 , 0.05, 0.  ]), array([0.1 , 0.05, 0.  , 0.  ]))
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
        # The constructor takes `steps_per_epoch`, but the schedule does not store it.
        cls.fields = cls.fields | Timed.fields
        super().__init_subclass__(**kwargs)
        own = {k: f for k, f in cls.fields.items() if k not in Timed.fields}
        cls.fields = own | {"epochs": Timed.fields["epochs"]}

    @classmethod
    def bind(cls, *args: Any, **kwargs: Any) -> Values:
        """Return a checked value for every field."""
        field = Timed.fields["steps_per_epoch"]
        steps_per_epoch = field.validate(kwargs.pop("steps_per_epoch", None))
        values = super().bind(*args, **kwargs)
        steps, epochs = values.steps, values.epochs
        if steps is None and epochs is not None and steps_per_epoch is not None:
            steps = cls.fields["steps"].validate(round(epochs * steps_per_epoch))
            return values.next(steps=steps, epochs=None)
        if steps_per_epoch is None and None in (steps, epochs):
            return values
        raise TypeError(
            f"The length of {cls.__name__} must be given either as `steps`, or as "
            "`epochs` with or without `steps_per_epoch`, or not at all. "
            f"Received: steps={shown(steps)}, epochs={shown(epochs)}, "
            f"steps_per_epoch={shown(steps_per_epoch)}"
        )

    @property
    def takes_span(self) -> bool:
        """Whether a length is left to the training; without inner schedules."""
        steps = self._values.steps
        return steps is None or type(steps) is float

    def lengths(self, span: Span, rest: Any) -> dict[str, Any]:
        """Return the arguments that depend on the training, with their values in it."""
        steps = span.length(self._values.steps, self._values.epochs, rest)
        return {**super().lengths(span, rest), "steps": steps, "epochs": None}

    @property
    def end(self) -> int | None:
        """First step of the constant final value, or `None`."""
        return self._values.steps if self.ends and not needs_span(self) else None

    @property
    def _horizon(self) -> int:
        return self._values.steps


def value_of(schedule: Any, step: Any, ops: Any) -> Any:
    """Return the value at `step` of a number, a `Schedule` or another Keras schedule.

    Formulas call this for nested schedules, with their own `step` and `ops`.
    """
    if isinstance(schedule, Schedule):
        time = step if schedule.integer_steps else as_float(step, ops)
        return schedule.formula(time, ops)
    if not isinstance(schedule, LearningRateSchedule):
        return ops.full_like(as_float(step, ops), schedule)
    if ops is not np:
        return as_float(_value_of_keras(schedule, step), ops)

    # Keras' schedules may not be vectorized, so they are called step by step.
    def one(s: np.float64) -> np.ndarray:
        counts = s.is_integer() and s < 2**31  # the limit of JAX
        return keras_ops.convert_to_numpy(schedule(int(s) if counts else s))

    return np.vectorize(one, otypes=["float64"])(step)


def _value_of_keras(schedule: LearningRateSchedule, step: Any) -> Any:
    """Return the value of a schedule written for the step counter of a Keras optimizer.

    That counter is an integer variable, which can be multiplied by 0.1. An integer
    tensor of TensorFlow cannot, so the step is cast to float if the schedule fails.
    """
    try:
        return schedule(step)
    except (TypeError, ValueError):
        return schedule(as_float(step, keras_ops))


def _counted(step: Any) -> Any:
    """Return a step as a tensor of a dtype with at least 32 bits."""
    step = keras_ops.convert_to_tensor(step)
    dtype = keras.backend.standardize_dtype(step.dtype)
    if dtype in ("int32", "int64", "float32", "float64"):
        return step
    return keras_ops.cast(step, "float32" if "float" in dtype else "int32")


def horizon_of(schedule: Any) -> int:
    """Return the horizon of a nested schedule; `ENDLESS` if it has none."""
    return schedule.horizon if isinstance(schedule, Schedule) else ENDLESS


class Scaled(Schedule):
    """Another schedule with all its values multiplied by a number.

        value(t) = factor · schedule(t)

    `schedule * factor` and `factor * schedule` return it. Neither Keras, optax nor
    torch has it.

    Args:
        schedule: A schedule of this package or of Keras, or a number, finite and >= 0.
        factor: Factor on all values; finite, >= 0.

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

    schedule: float | LearningRateSchedule = rate("schedule to scale", or_schedule=True)
    factor: float = factor("factor on all values", within=">= 0")

    @property
    def largest(self) -> float | None:
        """The largest value, or `None` if it is not known."""
        largest = largest_of(self.schedule)
        return None if largest is None else largest * self.factor

    def formula(self, step: Any, ops: Any) -> Any:
        """Return the value at `step`."""
        return value_of(self.schedule, step, ops) * self.factor

    @property
    def end(self) -> int | None:
        """First step of the constant final value, or `None`."""
        return None if needs_span(self) else end_of(self.schedule)

    @property
    def _horizon(self) -> int:
        return horizon_of(self.schedule)
