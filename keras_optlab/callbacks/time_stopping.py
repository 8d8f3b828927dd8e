"""Stopping after a given time."""

from __future__ import annotations

import time
from typing import Any

from keras_optlab.callbacks.base.callback import Callback
from keras_optlab.callbacks.base.messages import print_message
from keras_optlab.core.arguments import number, verbosity
from keras_optlab.stopping.deadline import Deadline


class TimeStopping(Callback):
    """A time limit: stops training some seconds after the start of `fit`.

    The clock is read before each execution and after each epoch. When the time is over,
    the execution that is about to start still trains, and validation still runs.

    Args:
        seconds: seconds after which to stop; > 0.
        verbose: 1 prints one line if it stopped training; 0 prints nothing.

    Attributes:
        stopped_epoch: epoch in which this stopped training, counted from 0, or `None`.
        clock: returns the current time in seconds.

    Raises:
        ValueError: if `seconds` is not > 0.
        TypeError: if `seconds` is not a number.

    Source:
        `tensorflow_addons.callbacks.TimeStopping`.

    Differs from Addons: Addons reads the clock at the end of epochs only.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile("sgd", loss="mse")
        >>> x, y = np.ones((4, 3)), np.ones((4, 1))
        >>> stopping = TimeStopping(seconds=1e-6)
        >>> history = model.fit(x, y, epochs=9, callbacks=[stopping], verbose=0)
        >>> len(history.epoch), stopping.stopped_epoch
        (1, 0)
    """

    clock = staticmethod(time.monotonic)
    hints = {
        "max_seconds": "Write `seconds`.",
        "minutes": "Write `seconds`.",
        "hours": "Write `seconds`.",
    }

    def __init__(self, seconds: float = 86_400, verbose: int = 0) -> None:
        super().__init__()
        self.seconds = number("seconds", seconds, "> 0", "time to stop")
        self.verbose = verbosity(verbose)
        self.stopped_epoch: int | None = None
        self._epoch = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        super().on_train_begin(logs)
        self._deadline = Deadline(self.seconds, self.clock)
        self.stopped_epoch, self._epoch = None, 0

    def on_epoch_begin(
        self,
        epoch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Store the epoch."""
        self._epoch = epoch

    def on_train_batch_begin(
        self,
        batch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Stop training if the time is over."""
        self._look()

    def on_epoch_end(
        self,
        epoch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Stop training if the time is over."""
        self._epoch = epoch
        self._look()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Print a line if this callback stopped training and `verbose` is set."""
        if self.verbose and self.stopped_epoch is not None:
            print_message(
                f"TimeStopping: Stopped in epoch {self.stopped_epoch + 1}: "
                f"{self._deadline.elapsed:.6g} seconds have passed."
            )

    def _look(self) -> None:
        if self.stopped_epoch is None and self._deadline.passed:
            self.stopped_epoch = self._epoch
            self.model.stop_training = True
