"""Base class of callbacks that read statistics from the compiled step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import keras

from keras_optlab.callbacks.base.step import StepCallback
from keras_optlab.core.arguments import number, optional_steps
from keras_optlab.core.retrace import retrace
from keras_optlab.engine import CAPACITY, Histograms, Statistics, around_fit


class StatisticsCallback(StepCallback):
    """A callback that requests statistics from the optimizer, each record once.

    The compiled step records norms and histograms. A stock Keras optimizer has none.

    Args:
        every: steps between two points, as in `StepCallback`.
        statistics_every: steps between two records of norms; integer >= 1, or `None`
            for `every`.
        histograms_every: steps between two histograms; integer >= 1, or `None` for
            none.
        optimizer: the optimizer that records; `None` is the model's.

    Attributes:
        gradient_cosine: Whether the norms come with the cosine of the gradient and that
            of the update before.
    """

    gradient_cosine = False

    def __init__(
        self,
        every: int,
        statistics_every: int | None = None,
        histograms_every: int | None = None,
        optimizer: Any = None,
    ) -> None:
        every = number("every", every, ">= 1", "steps between two points", integer=True)
        super().__init__(every, optimizer)
        given = optional_steps(
            "statistics_every", statistics_every, "steps between two records"
        )
        self.statistics_every: int | None = given or self.every
        if given and every > CAPACITY * given:
            raise ValueError(
                f"`every` must be at most {CAPACITY} times `statistics_every`, since "
                f"the optimizer keeps the last {CAPACITY} records. Received: {every=}, "
                f"{statistics_every=}"
            )
        self.histograms_every = optional_steps(
            "histograms_every", histograms_every, "steps between two histograms"
        )

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Request statistics, before the step is traced."""
        super().on_train_begin(logs)
        ours = self.our_optimizer
        if ours is not None:  # skip the records of earlier requests
            self._seen, _ = ours.recorder.statistics_since(0)
            self._seen_histograms, _ = ours.recorder.histograms_since(0)
        if self._request(self.statistics_every, self.histograms_every):
            retrace(self.model, "train")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Withdraw the request."""
        self._withdraw()

    def on_train_interrupted(self) -> None:
        """Withdraw the request."""
        self._withdraw()

    def new_statistics(self) -> list[Statistics]:
        """Return the records since the last call, oldest first."""
        if self.our_optimizer is None:
            return []
        recorder = self.our_optimizer.recorder
        now, new = recorder.statistics_since(self._seen)
        if now < self._seen:  # a resumed training, without the records before
            now, new = recorder.statistics_since(0)
        self._seen = now
        return [x for x in new if _due(x.step, self.statistics_every)]

    def new_histograms(self) -> Histograms | None:
        """Return the last histograms, or `None` if they were returned before."""
        if self.our_optimizer is None or self.histograms_every is None:
            return None
        recorder, seen = self.our_optimizer.recorder, self._seen_histograms
        now, new = recorder.histograms_since(seen)
        if now < seen:  # as in `new_statistics`
            now, new = recorder.histograms_since(0)
        self._seen_histograms = now
        own = [x for x in new if _due(x.step, self.histograms_every)]
        return own[-1] if own else None

    def _request(self, every: int | None, histograms_every: int | None) -> bool:
        """Replace the request; return whether the step must be retraced."""
        if self.our_optimizer is None:
            return False
        who = f"{type(self).__name__} {id(self)}"
        return self.our_optimizer.collect_statistics(
            every, histograms_every, who, self.gradient_cosine
        )

    def _withdraw(self) -> None:
        if self._request(None, None):
            _recorded.add(self.model)


_recorded: WeakSet[keras.Model] = WeakSet()  # the step still records, unrequested


@contextlib.contextmanager
def _without_old_records(
    model: keras.Model, callbacks: list[keras.callbacks.Callback]
) -> Iterator[None]:
    """Retrace a step that still records, in a `fit` without a `StatisticsCallback`.

    With one, the compiled step can be reused: the request may be the same as before.
    """
    if model in _recorded and not any(
        isinstance(c, StatisticsCallback) for c in callbacks
    ):
        _recorded.discard(model)
        retrace(model, "train")
    yield


around_fit(_without_old_records)


def _due(step: int, every: int | None) -> bool:
    """Return whether this callback requested the record; others may add more."""
    return every is not None and (step == 1 or step % every == 0)
