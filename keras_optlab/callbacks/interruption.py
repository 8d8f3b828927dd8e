"""The base of all callbacks: told when an exception ends `fit`, and of one another.

Keras calls `on_train_end` only when training ends in order: after an exception or
Ctrl-C no hook of a callback runs on TensorFlow and torch. Nothing that Keras calls
during `fit` encloses all of it (the batches, the validation, the data, the other
callbacks), so `keras.Model.fit` itself is enclosed, once, when this module is imported.
A fit whose callbacks do not derive from `Callback` below behaves as before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import keras

from keras_optlab.callbacks.serializable import Serializable

_in_this_fit: ContextVar[list[Callback]] = ContextVar("callbacks of the running fit")


class Callback(Serializable, keras.callbacks.Callback):
    """A Keras callback that says what it drives, and is told of an interruption.

    Attributes:
        companions: The callbacks of this package in the running fit.
    """

    companions: Sequence[Callback] = ()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Join the callbacks of this fit.

        Raises:
            ValueError: if one of them drives what this one drives.
        """
        self.companions = companions = _in_this_fit.get([])
        for other in companions:
            for name in self.driven().keys() & other.driven().keys():
                raise ValueError(
                    f"Two callbacks drive {name!r}. Received: "
                    f"{type(other).__name__} and {type(self).__name__}. Leave one out."
                )
        companions.append(self)

    def driven(self) -> dict[str, float]:
        """Return what this callback drives and its present value, by name.

        Called in `fit` only. No two callbacks of a fit may drive the same, and those
        that log show the values.
        """
        return {}

    def on_train_interrupted(self) -> None:
        """Called in place of `on_train_end` when an exception ends `fit`.

        It runs before the exception reaches the caller of `fit`. The model can be read
        and written as in `on_train_end`.
        """


def _telling(fit: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `fit` so that it tells its callbacks of an exception, then lets it pass."""

    @functools.wraps(fit)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        callbacks: list[Callback] = []
        token = _in_this_fit.set(callbacks)
        try:
            return fit(*args, **kwargs)
        except BaseException:
            for callback in callbacks:
                callback.on_train_interrupted()
            raise
        finally:
            _in_this_fit.reset(token)

    return wrapper


keras.Model.fit = _telling(keras.Model.fit)
