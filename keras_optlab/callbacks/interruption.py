"""Tells a callback that `fit` ended by an exception.

Keras calls `on_train_end` only when training ends in order: after an exception or
Ctrl-C no hook of a callback runs on TensorFlow and torch. Nothing that Keras calls
during `fit` encloses all of it (the batches, the validation, the data, the other
callbacks), so `keras.Model.fit` itself is enclosed, once, when this module is imported.
A fit whose callbacks do not derive from `Callback` below behaves as before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import keras

_in_this_fit: ContextVar[list[Callback]] = ContextVar("callbacks of the running fit")


class Callback(keras.callbacks.Callback):
    """A Keras callback with one hook more, `on_train_interrupted`."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Ask to be told if this fit is interrupted."""
        _in_this_fit.get([]).append(self)

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
