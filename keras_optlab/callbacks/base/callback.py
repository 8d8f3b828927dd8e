"""The base of all callbacks: told when an exception ends `fit`, and of one another.

Keras calls `on_train_end` only when training ends in order: after an exception or
Ctrl-C no hook of a callback runs on TensorFlow and torch. So `fit` itself is enclosed.
A fit whose callbacks do not derive from `Callback` below behaves as before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import keras

from keras_optlab.callbacks.base.serializable import Serializable
from keras_optlab.engine import around_fit

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
            for _, name in self.drives() & other.drives():
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

    def drives(self) -> set[tuple[int, str]]:
        """Return the `id` of whose each is that this callback drives, and its name."""
        return {(0, name) for name in self.driven()}

    def on_train_interrupted(self) -> None:
        """Called in place of `on_train_end` when an exception ends `fit`.

        It runs before the exception reaches the caller of `fit`. The model can be read
        and written as in `on_train_end`.
        """


@contextlib.contextmanager
def telling(
    model: keras.Model,  # noqa: ARG001
    callbacks: list[keras.callbacks.Callback],  # noqa: ARG001
) -> Iterator[None]:
    """Tell the callbacks of a `fit` of an exception, then let it pass."""
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


around_fit(telling)
