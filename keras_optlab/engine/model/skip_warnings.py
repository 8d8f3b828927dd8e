"""Warnings of skipped steps, and of the last countable ones.

The counters are on the device, and reading them waits for it. They are therefore read
only after steps 1 and 10, then every 50 steps.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import keras

from keras_optlab.engine.backend.keras_adapter import (
    concrete,
    inner_optimizer,
    optimizers_of,
)
from keras_optlab.engine.backend.trainer_adapter import newest
from keras_optlab.engine.contract import BuiltOptimizer
from keras_optlab.engine.hyperparameters.ranges import illegal_now
from keras_optlab.engine.update.skips import Skipped

FIRST = 1, 10
EVERY = 50
LAST = 2**31 - 1  # steps that Keras counts on JAX and torch
AHEAD = 10**8  # steps before the last one, from which on to warn


def is_due(steps: int, before: int) -> bool:
    """Return whether to read the counters after `steps` steps, `before` at last."""
    first = any(before < at <= steps for at in FIRST)
    return first or before // EVERY < steps // EVERY


class SkipWatch:
    """Reader of one optimizer's counters, which gives each warning once.

    Args:
        optimizer: The optimizer.
        outer: The `LossScaleOptimizer` around it, if there is one. It withholds steps
            with a NaN or an infinity, which count as skipped too.
    """

    def __init__(self, optimizer: BuiltOptimizer, outer: Any = None) -> None:
        self.optimizer, self.outer = optimizer, outer
        self.start = self.last = Skipped.of(optimizer) or Skipped(0, 0, 0)
        self.calls = self.idle_since = 0
        self.suspended = self._warned = self._ended = self._warned_of_last = False

    def count(self) -> None:
        """Count a step of a custom loop, and read the counters if that is due."""
        self.calls += 1
        if not self.suspended and is_due(self.calls, self.calls - 1):
            self.look(self.calls)

    def is_quiet(self, now: Skipped | None) -> bool:
        """Return whether the counters say that no step was skipped since the last."""
        return now is not None and now.total == self.last.total and self.outer is None

    def look(self, steps: int, now: Skipped | None = None) -> bool:
        """Warn of skipped steps, and return whether to stop.

        Args:
            steps: Number of steps so far.
            now: The counters, if they are known.
        """
        now = now or Skipped.of(self.optimizer)
        if now is None:
            return False
        if now.steps > self.last.steps:
            self.idle_since = steps
        self.last = now
        self._warn_of_last(now)
        if now.total > self.start.total and not self._warned:
            self._warned = True
            warnings.warn(_in_words(self.optimizer, now), stacklevel=2)
        run = now.run or self._withheld(steps)
        limit = self.optimizer.stop_after_skips
        stop = limit is not None and run >= limit
        if stop and not self._ended:
            self._ended = True
            warnings.warn(
                f"{self.optimizer.name}: the last {run} steps were all skipped, and "
                f"the limit is stop_after_skips={limit}. `fit` stops; a loop of your "
                "own should stop too.",
                stacklevel=2,
            )
        return stop

    def _warn_of_last(self, now: Skipped) -> None:
        near = self.optimizer.updates.dtype == "int32" and now.steps > LAST - AHEAD
        if not near or self._warned_of_last:
            return
        self._warned_of_last = True
        warnings.warn(
            f"{self.optimizer.name} has done {now.steps:,} steps. Keras counts them in "
            f"int32 on {keras.backend.backend()}: after {LAST:,} the count is "
            "negative, and schedules and bias corrections are wrong. Before that, go "
            "on with a new optimizer.",
            stacklevel=3,
        )

    def _withheld(self, steps: int) -> int:
        """Return how many of the last steps the loss scaling withheld, at scale < 1."""
        scale = None if self.outer is None else concrete(self.outer.dynamic_scale)
        overflows = scale is not None and scale < 1
        return steps - self.idle_since if overflows else 0


class StopAfterSkips(keras.callbacks.Callback):
    """Callback that warns of skipped steps in `fit`, and stops it at the limit.

    `fit` adds it if an optimizer of this package trains. If steps were skipped, their
    share of the epoch so far is `skipped_fraction` in the progress bar. It lags behind
    by up to 50 steps, as the counters are read that often. From the first epoch with a
    skipped step on, the share of each epoch is in its logs.
    """

    async_safe = True  # Keras may call `on_train_batch_end` from another thread

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start counting."""
        outer = self.model.optimizer
        inner = inner_optimizer(outer)
        self._watches = [
            SkipWatch(x, outer if x is inner is not outer else None)
            for x in optimizers_of(self.model)
        ]
        self._before = self._done = 0
        self._share, self._logged = 0.0, False

    def on_epoch_begin(
        self,
        epoch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Note where the epoch begins."""
        self._before = self._done
        self._at_begin = [w.last for w in self._watches]
        self._share = 0.0

    def on_train_batch_begin(
        self,
        batch: int,
        logs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Read the counters for the batches before this one, if that is due."""
        before, self._done = self._done, self._before + batch
        if is_due(self._done, before):
            self._look()

    def on_train_batch_end(
        self,
        batch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
    ) -> None:
        """Show the share of skipped steps in the progress bar, unless it is 0."""
        if self._share and logs is not None:
            logs["skipped_fraction"] = self._share

    def on_epoch_end(
        self,
        epoch: int,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
    ) -> None:
        """Read the counters, and log the share of the steps that were skipped."""
        self._done += 1
        self._look()
        if logs is None or not (self._share or self._logged):
            return
        if not self._logged:
            self._logged = True
            self._complete_history()
        logs["skipped_fraction"] = self._share

    def _complete_history(self) -> None:
        """Add the share 0 of the epochs before, so that all lists are equally long."""
        history = getattr(self.model, "history", None)
        if history is not None and history.epoch:
            history.history.setdefault("skipped_fraction", [0.0] * len(history.epoch))

    def _look(self) -> None:
        read = newest(self._model)
        now = [Skipped.of(w.optimizer, read) for w in self._watches]
        watches = list(zip(self._watches, now, strict=True))
        if not all(w.is_quiet(x) for w, x in watches):
            _ = self.model  # on JAX, the trainer returns all variables
        if any([w.look(self._done, x) for w, x in watches]):
            self.model.stop_training = True
        rows = list(zip(self._at_begin, (w.last for w in self._watches), strict=True))
        skipped = sum(now.total - then.total for then, now in rows)
        steps = sum(now.steps - then.steps for then, now in rows)
        self._share = max(skipped, 0) / max(steps, 1)  # counters may be put back


@contextlib.contextmanager
def watch_skips(
    model: keras.Model, callbacks: list[keras.callbacks.Callback]
) -> Iterator[None]:
    """Have `fit` watch its model's optimizers for skipped steps."""
    optimizers = optimizers_of(model)
    if optimizers:
        callbacks.append(StopAfterSkips())
    for optimizer in optimizers:
        optimizer.skip_watch.suspended = True
    try:
        yield
    finally:
        for optimizer in optimizers:
            optimizer.skip_watch.suspended = False


def _in_words(optimizer: BuiltOptimizer, skipped: Skipped) -> str:
    illegal = illegal_now(optimizer) if skipped.run else []
    if illegal:
        reason = f"a schedule or a function has given {'; '.join(illegal)}"
        advice = "Correct the schedule or the function."
    else:
        reason = "their gradients had a NaN or infinity, or were too large to square"
        if optimizer.norm_guard is not None:
            reason += ", or above the limit that SpikeGuard set"
        advice = (
            "Look for bad rows in the data. If the loss grew before, the weights may "
            "have diverged already: lower the learning rate, or clip the gradients."
        )
    return (
        f"{optimizer.name} skipped {skipped.total} of {skipped.steps} steps, because "
        f"{reason}. A skipped step changes no weight. {advice}"
    )
