"""Which steps of a training had an accident, from their losses and gradient norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from keras_optlab.spikes.batch_losses import BatchLosses
from keras_optlab.spikes.outliers import Outliers

TOO_LARGE = 1e15  # the engine skips a step with a norm above it as it skips infinity


@dataclass(frozen=True)
class Execution:
    """What is known of some batches that were trained on together.

    Attributes:
        first: Position of the first batch.
        batches: Number of batches.
        report: What Keras reports of the loss after them; `None` if it reports nothing.
        norms: For each batch, the norm of its gradient, and whether the step was
            applied; empty if this is not known.
    """

    first: int
    batches: int
    report: float | None = None
    norms: Sequence[tuple[float, bool]] = ()


@dataclass(frozen=True)
class Accident:
    """A step with a spike, or with a loss, gradient or weight that is not finite.

    Attributes:
        at: Position of its batch, or of the first batch of its execution.
        batches: Number of batches of which it may be.
        what: `"loss"`, `"gradient norm"` or `"weight"`.
        value: The loss or norm; NaN of a weight.
        score: Its robust z-score; NaN if it has none.
        typical: The median of the window; NaN if it is empty.
        applied: Whether the step has changed the weights.
    """

    at: int
    batches: int
    what: str
    value: float
    score: float
    typical: float
    applied: bool

    @property
    def finite(self) -> bool:
        """Whether the value is a number that the engine would step by."""
        largest = math.inf if self.what == "loss" else TOO_LARGE
        return math.isfinite(self.value) and self.value <= largest

    def __str__(self) -> str:
        if not self.finite and self.what == "loss":
            return f"the loss is {self.value}"
        if not self.finite and self.what == "weight":
            more = self.batches - 1
            others = f" or one of the next {more}" if more else ""
            return f"this step{others} has made a weight NaN or infinite"
        if not self.finite:
            return "the gradient is not finite"
        about = f"median {self.typical:.3g}"
        if math.isfinite(self.score):
            about += f", z = {self.score:.3g}"
        return f"a spike of the {self.what}, {self.value:.3g} ({about})"


class Judge:
    """Finds accidents, and learns from the other steps what is ordinary.

    Args:
        losses: Window of the losses.
        norms: Window of the gradient norms.

    Attributes:
        running: What is known of the mean of the epoch. `None` if Keras reports the
            loss of each execution, and not a mean.
    """

    def __init__(self, losses: Outliers, norms: Outliers) -> None:
        self.losses, self.norms = losses, norms
        self.running: BatchLosses | None = BatchLosses()

    def accidents(self, executions: Sequence[Execution]) -> list[Accident]:
        """Return the accidents, up to the first one that has changed the weights.

        If most steps were not applied because of their norm, and no loss was a spike,
        the norms have moved to another level. Then none of them was an accident, and
        the window of the norms begins anew with them.
        """
        found: list[Accident] = []
        limit = (1 - 1e-6) * self.norms.limit  # the step compares in float32
        for execution in executions:
            found += self._not_applied(execution, limit)
            loss = self._loss(execution)
            if loss is not None and self.losses.is_spike(loss):
                at, batches = execution.first, execution.batches
                return [*found, self._accident("loss", at, batches, loss, True)]
            if loss is not None:
                self.losses.add([loss])
            self.norms.add(norm for norm, applied in execution.norms if applied)
        refused = [x.value for x in found if x.finite]
        if len(refused) > sum(len(e.norms) for e in executions) / 2:
            self.norms.restart(refused)
            return [x for x in found if not x.finite]
        return found

    def bad_weights(self, executions: Sequence[Execution]) -> list[Accident]:
        """Return the accident of weights that are not finite after these batches."""
        first, batches = executions[0].first, sum(x.batches for x in executions)
        return [Accident(first, batches, "weight", math.nan, math.nan, math.nan, True)]

    def _not_applied(self, execution: Execution, limit: float) -> list[Accident]:
        """Return the steps not applied because of their norm, not for other reasons."""
        largest = min(limit, TOO_LARGE)
        return [
            self._accident("gradient norm", execution.first + i, 1, norm, False)
            for i, (norm, applied) in enumerate(execution.norms)
            if not applied and not norm <= largest
        ]

    def _loss(self, execution: Execution) -> float | None:
        if execution.report is None or self.running is None:
            return execution.report
        left_out = sum(not applied for _, applied in execution.norms)
        return self.running.next(execution.batches, execution.report, left_out)

    def _accident(
        self, what: str, at: int, batches: int, value: float, applied: bool
    ) -> Accident:
        window = self.losses if what == "loss" else self.norms
        about = window.score(value), window.median
        return Accident(at, batches, what, value, *about, applied)
