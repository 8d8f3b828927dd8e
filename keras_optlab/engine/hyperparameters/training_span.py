"""The span of the training, in a variable, for schedules without a length of their own.

`Cosine(1e-3)` runs over the updates of a `fit`. Their number is known when `fit` begins
and is the value of a variable, so that a second `fit` needs no retrace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from keras import ops

from keras_optlab.core.numerics import scalar_dtype
from keras_optlab.core.spans import Moment, Span, needs_epochs, needs_span
from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.variables import read, to_numpy

BEGIN, UPDATES, EPOCHS, BY_HAND = range(4)  # entries of the variable


class TrainingSpan:
    """The span of one optimizer's training.

    Args:
        add_variable: Creates a variable from its name, shape and type.
        schedules: Returns the schedules of the optimizer.

    Attributes:
        variable: Begin, updates, epochs and whether set by `optimizer.span`; zeros
            before the first training, `None` if no schedule needs it.
        others: Schedules of callbacks that count the optimizer's updates.
        by_hand: Whether `optimizer.span` has begun it, and not a `fit`.
        in_fit: Whether a `fit` trains in it now.
    """

    def __init__(
        self,
        add_variable: Callable[..., Variable],
        schedules: Callable[[], Iterable[Any]],
    ) -> None:
        self._add_variable, self._schedules = add_variable, schedules
        self.variable: Variable | None = None
        self._loaded: Any = None  # saved value that waits for the variable
        self.others: list[Any] = []
        self.in_fit = self.by_hand = False
        self.prepare()

    @property
    def needing(self) -> list[Any]:
        """The schedules that need the span now."""
        return [x for x in (*self._schedules(), *self.others) if needs_span(x)]

    def prepare(self) -> None:
        """Make the variable if a schedule needs it."""
        if self.variable is None and self.needing:
            variable = self._add_variable("training_span", (4,), "int")
            self.variable = variable
            if self._loaded is not None:
                variable.assign(self._loaded)
                self.note_loaded()

    def serve(self, schedule: Any) -> None:
        """Take a schedule of a callback into account, until `fit` ends."""
        self.others.append(schedule)
        self.prepare()

    def begin(self, step: int, updates: int, epochs: int, by_hand: bool) -> None:
        """Begin a span at an update.

        Raises:
            ValueError: if it has no updates, or a schedule needs the number of epochs.
        """
        if updates < 1:
            raise ValueError(
                f"A training span must have at least one update. Received: {updates}. "
                "With gradient accumulation, an update takes several batches."
            )
        for schedule in self.needing:
            if not epochs and needs_epochs(schedule):
                raise ValueError(
                    f"{schedule!r} has a length in epochs. Received: no number of "
                    "epochs. Call `span(updates, epochs)`."
                )
        self.prepare()
        if self.variable is not None:
            self.variable.assign([step, updates, epochs, int(by_hand)])
        self.by_hand = by_hand

    def covers(self, step: int) -> bool:
        """Return whether an update belongs to the span."""
        if self.variable is None:
            return False
        begin, updates, *_ = (int(x) for x in to_numpy(self.variable))
        return begin <= step < begin + updates

    def note_loaded(self, saved: Any = None) -> None:
        """Note that a saved state may have replaced the variable's value.

        Args:
            saved: The value in the state, if any: a callback may need it later, whose
                schedule the loaded optimizer does not have.
        """
        self._loaded = saved if self.variable is None else None
        if self.variable is not None:
            self.by_hand = bool(to_numpy(self.variable)[BY_HAND])

    def check(self) -> None:
        """Raise if a schedule needs a span, and nothing has set it for this training.

        Raises:
            ValueError: outside of `fit`, before `optimizer.span`.
        """
        if self.variable is None or self.in_fit or self.by_hand:
            return
        needing = self.needing
        if needing:
            raise ValueError(
                f"{needing[0]!r} has no length of its own: it spans a `fit`. Received: "
                "a training outside of `fit`. Call `optimizer.span(updates)` before "
                "it, or give the schedule `steps`."
            )

    def at(self, step: Any) -> Moment:
        """Return an update as the moment at which schedules are evaluated.

        Args:
            step: Number of updates before it: an integer, or a variable or tensor.
        """
        if self.variable is None:
            return Moment(step, None)
        if isinstance(step, int):
            begin, updates, epochs, _ = (int(x) for x in to_numpy(self.variable))
            return Moment(step, Span(begin, updates, epochs) if updates else None)
        now = ops.unstack(read(self.variable))
        updates, epochs = (ops.cast(now[i], scalar_dtype()) for i in (UPDATES, EPOCHS))
        return Moment(step, Span(now[BEGIN], updates, epochs))
