"""The number of batches that a `fit` trains, known before its callbacks begin."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from keras_optlab.engine.backend.trainer_adapter import EpochIterator

_waiting: ContextVar[list[Callable[[Any], None]]] = ContextVar("waiting for data")
_known: ContextVar[FitLength | None] = ContextVar("length of the running `fit`")


@dataclass(frozen=True)
class FitLength:
    """What determines the number of batches of a `fit`.

    Attributes:
        steps_per_epoch: The argument of `fit`, or `None`.
        pass_length: Batches in one pass over the data; `None` if unknown.
        at_once: `steps_per_execution` of the model.

    >>> FitLength(None, 13, 1).batches(epochs=2)
    26
    >>> FitLength(5, 13, 1).batches(epochs=3)  # 5, 5 and the last 3 of one pass
    13
    >>> FitLength(None, None, 1).batches(epochs=3) is None
    True
    """

    steps_per_epoch: int | None
    pass_length: int | None
    at_once: int

    def batches(self, epochs: int) -> int | None:
        """Return the number of batches in some epochs; `None` if it is unknown.

        With `steps_per_epoch`, Keras continues one pass over the data in the next
        epoch, begins a new pass where one is over, and ends an epoch early there.
        """
        if self.steps_per_epoch is None:
            return None if self.pass_length is None else epochs * self.pass_length
        runs = math.ceil(self.steps_per_epoch / self.at_once)
        if self.pass_length is None:
            return epochs * runs * self.at_once
        total = seen = 0
        for _ in range(epochs):
            left = self.pass_length - seen
            done = min(runs * self.at_once, left)
            total += done
            seen = 0 if done == left else seen + done
        return total


@contextlib.contextmanager
def when_made(act: Callable[[Any], None]) -> Iterator[None]:
    """In this context, call a function with the `EpochIterator` of a `fit`.

    `fit` has just made it. This is before the callbacks' `on_train_begin`, so an error
    leaves no trace.
    """
    token = _waiting.set([*_waiting.get([]), act])
    try:
        yield
    finally:
        _waiting.reset(token)


def fit_length() -> FitLength | None:
    """Return the length of the running `fit`; `None` before its data are prepared."""
    return _known.get(None)


@contextlib.contextmanager
def when_known(act: Callable[[FitLength], None]) -> Iterator[None]:
    """In this context, call a function when the length of a `fit` is known."""

    def keep_and_act(made: Any) -> None:
        size = made.data_adapter.num_batches
        length = FitLength(made.steps_per_epoch, size, made.steps_per_execution)
        _known.set(length)
        act(length)

    before = _known.set(None)
    try:
        with when_made(keep_and_act):
            yield
    finally:
        _known.reset(before)


def _extended(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def init_and_tell(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        waiting = _waiting.get([])
        acts, waiting[:] = list(waiting), []  # the first is that of the training data
        for act in acts:
            act(self)

    return init_and_tell


if not hasattr(EpochIterator.__init__, "__wrapped__"):
    EpochIterator.__init__ = _extended(EpochIterator.__init__)
