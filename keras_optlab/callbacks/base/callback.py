"""Base class of all callbacks, with a hook for exceptions and a check for conflicts.

Keras calls `on_train_end` only when training ends normally: after an exception or
Ctrl-C, no hook of a callback runs on TensorFlow and torch. A context manager around
`fit` calls `on_train_interrupted` instead. It does nothing for other callbacks.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, ClassVar

import keras

from keras_optlab.callbacks.base.serializable import Serializable
from keras_optlab.engine import around_fit
from keras_optlab.engine.backend.variables import wait_for

_in_this_fit: ContextVar[list[Callback]] = ContextVar("callbacks of the running fit")


class Callback(Serializable, keras.callbacks.Callback):
    """A Keras callback that declares what it drives, with a hook for exceptions.

    Attributes:
        companions: The callbacks of this package in the running `fit`.
        reason: Why this callback stopped the training, in one line, or `""`.
        recorded: Scalars that `TensorBoard` and `Monitor` log, by tag, each with its
            step.
        runs_first: `fit` calls callbacks with a higher number first, wherever they are
            in the list: 1 if others read what it writes into the logs.
        writes_logs: Whether `fit` calls it before Keras' `CSVLogger`, wherever it is in
            the list.
        seconds_beside: Seconds that this callback has spent on other things than the
            training, such as a validation, which the throughput leaves out.
        new_values: Values of a validation that this callback has just run, by name in
            the logs; empty in calls in which none ended.
        old_names: Names of values in the logs of an epoch that this callback reported
            before, in the middle of the epoch.

    >>> class Announce(Callback):
    ...     "Says that `fit` was ended by an exception."
    ...     def on_train_interrupted(self):
    ...         print("interrupted")
    >>> class Broken(keras.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         raise RuntimeError
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = keras.ops.ones((4, 1))
    >>> model.fit(x, x, verbose=0, callbacks=[Announce(), Broken()])
    Traceback (most recent call last):
        ...
    RuntimeError
    """

    companions: Sequence[Callback] = ()
    reason: str = ""
    recorded: Sequence[tuple[int, Mapping[str, float]]] = ()
    runs_first: ClassVar[int] = 0
    writes_logs: ClassVar[bool] = False
    seconds_beside: float = 0.0
    new_values: Mapping[str, Any] = MappingProxyType({})
    old_names: Collection[str] = ()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Register with the other callbacks of this `fit`.

        Raises:
            ValueError: if another callback drives the same number.
        """
        self.companions = companions = joined_callbacks()
        for other in companions:
            for _, name in self.drives() & other.drives():
                raise ValueError(
                    f"Two callbacks drive {name!r}. Received: "
                    f"{type(other).__name__} and {type(self).__name__}. Leave one out."
                )
        companions.append(self)

    def driven_values(self) -> dict[str, float]:
        """Return the current value of each number that this callback drives, by name.

        Called in `fit` only. Two callbacks of a `fit` must not drive the same number.
        `TensorBoard` and `Monitor` log the values.
        """
        return {}

    def drives(self) -> set[tuple[int, str]]:
        """Return (`id` of the owner or 0, name) of each number that is driven."""
        return {(0, name) for name in self.driven_values()}

    def reports(self, name: str) -> bool:  # noqa: ARG002
        """Return whether this callback reports a value of this name within epochs."""
        return False

    @contextlib.contextmanager
    def beside_training(self) -> Iterator[None]:
        """Add the time in this context to `seconds_beside`, once the device is done."""
        model: Any = self.model
        wait_for(model.trainable_variables or model.variables)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds_beside += time.perf_counter() - began

    def on_train_interrupted(self) -> None:
        """Clean up after an exception in `fit`; called instead of `on_train_end`.

        It runs before the exception reaches the caller of `fit`. The model can be read
        and written as in `on_train_end`.
        """


def joined_callbacks() -> list[Callback]:
    """Return this package's callbacks for which the running `fit` has begun so far."""
    return _in_this_fit.get([])


@contextlib.contextmanager
def interruption_hook(
    model: keras.Model,  # noqa: ARG001
    callbacks: list[keras.callbacks.Callback],  # noqa: ARG001
) -> Iterator[None]:
    """Call `on_train_interrupted` if an exception ends `fit`, then re-raise it."""
    joined: list[Callback] = []
    token = _in_this_fit.set(joined)
    try:
        yield
    except BaseException:
        for callback in joined:
            callback.on_train_interrupted()
        raise
    finally:
        _in_this_fit.reset(token)


around_fit(interruption_hook)
