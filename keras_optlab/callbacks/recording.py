"""Callbacks that read what the optimizer measures inside the compiled step."""

from __future__ import annotations

from typing import Any

from keras_optlab.callbacks.arguments import optional_steps
from keras_optlab.callbacks.steps import StepCallback
from keras_optlab.engine import Histograms, Optimizer, Statistics, find_engine


class Recording(StepCallback):
    """Asks the optimizer for statistics, and hands out each record once.

    With a stock optimizer of Keras there are none.

    Args:
        every: steps between two points, as of `StepCallback`.
        histograms_every: steps between two histograms; integer >= 1, or `None` for
            none.
    """

    def __init__(self, every: int, histograms_every: int | None = None) -> None:
        super().__init__(every)
        self.histograms_every = optional_steps(
            "histograms_every", histograms_every, "steps between two histograms"
        )

    @property
    def engine(self) -> Optimizer | None:
        """The optimizer, if it is one of ours; also from inside a loss scaling one."""
        return find_engine(self.model.optimizer)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Ask, before the step is traced."""
        super().on_train_begin(logs)
        self._seen: dict[str, int] = {}
        if self._ask(self.every, self.histograms_every):
            self.model.make_train_function(force=True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Ask for no more."""
        self._ask(None, None)

    def on_train_interrupted(self) -> None:
        """Ask for no more."""
        self._ask(None, None)

    def new_statistics(self) -> Statistics | None:
        """Return the last statistics, once."""
        return self._new("statistics")

    def new_histograms(self) -> Histograms | None:
        """Return the last histograms, once."""
        return self._new("histograms") if self.histograms_every else None

    def _new(self, kind: str) -> Any:
        record = None if self.engine is None else getattr(self.engine, kind)()
        if record is None or record.step == self._seen.get(kind):
            return None
        self._seen[kind] = record.step
        return record

    def _ask(self, every: int | None, histograms_every: int | None) -> bool:
        """Return whether the step has to be traced anew."""
        if self.engine is None:
            return False
        who = f"{type(self).__name__} {id(self)}"
        return self.engine.collect_statistics(every, histograms_every, who)
