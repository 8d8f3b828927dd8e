"""What a callback needs of `fit` to save and resume it.

The training is restored after all callbacks' `on_train_begin`, which reset them, and in
the middle of an epoch again after their `on_epoch_begin`. It is saved at the end of an
epoch after their `on_epoch_end`, and within one before their `on_train_batch_begin`.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import keras

from keras_optlab.engine import (
    FitBatches,
    around_fit,
    optimizer_configs,
    set_first_epoch,
    when_made,
)
from keras_optlab.resuming.saved_training import RunningFit


class Resumer:
    """A callback that saves and restores the `fit` that it is passed to."""

    def begin_fit(self, fit: RunningFit) -> None:
        """Take what the `fit` that begins now consists of."""
        raise NotImplementedError

    def restore(self) -> None:
        """Restore the training, after all callbacks' `on_train_begin`."""
        raise NotImplementedError

    def restore_within_epoch(self) -> None:
        """Restore the training again, after all callbacks' `on_epoch_begin`."""
        raise NotImplementedError

    def end_epoch(self, epoch: int) -> None:
        """Save the training if it is due, after all callbacks' `on_epoch_end`."""
        raise NotImplementedError

    def terminate(self) -> None:
        """Save the training at the next batch, and end the process."""
        raise NotImplementedError

    def end_fit(self) -> None:
        """Release what belongs to the `fit`."""
        raise NotImplementedError


class LastCallback(keras.callbacks.Callback):
    """The last callback of a `fit`."""

    def __init__(self, resumer: Resumer) -> None:
        super().__init__()
        self._resumer = resumer

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Restore the training."""
        self._resumer.restore()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Restore the training within an epoch."""
        self._resumer.restore_within_epoch()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Save the training if it is due."""
        self._resumer.end_epoch(epoch)


@contextlib.contextmanager
def resumable(
    model: keras.Model, callbacks: list[keras.callbacks.Callback]
) -> Iterator[None]:
    """Give a `Resumer` among the callbacks of a `fit` what it needs."""
    found = [c for c in keras.tree.flatten(callbacks) if isinstance(c, Resumer)]
    if not found:
        yield
        return
    resumer = found[0]

    def begin(iterator: Any) -> None:
        flat = keras.tree.flatten(callbacks)
        saved = [c for c in flat if not isinstance(c, LastCallback)]
        first = [dict(vars(c)) for c in saved]
        batches, configs = FitBatches(iterator), optimizer_configs(model)
        resumer.begin_fit(RunningFit(model, saved, batches, first, configs))

    if not any(isinstance(c, keras.callbacks.History) for c in callbacks):
        callbacks.append(keras.callbacks.History())  # else `fit` puts it after the last
    callbacks.append(LastCallback(resumer))
    try:
        with when_made(begin), _terminating(resumer):
            yield
    finally:
        set_first_epoch(model, None)
        resumer.end_fit()


@contextlib.contextmanager
def _terminating(resumer: Resumer) -> Iterator[None]:
    """Have SIGTERM save the training first; a second SIGTERM ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)

    def handle(number: int, _: Any) -> None:
        signal.signal(number, before)
        resumer.terminate()

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


around_fit(resumable)
