"""`Pruning`: when a trial is ended because others were better."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

RUNGS = (1 / 4, 1 / 2)  # shares of the training after which trials are compared
KEPT = 2  # at each rung, the best 1 / KEPT of the trials go on
FEWEST = 6  # values at a rung before it is used
BRACKETS = 3  # a trial in BRACKETS is not compared at rungs: a late bloomer may win
SLACK = 1.5  # times the best effort, after which a target is given up


@dataclass(frozen=True)
class Pruning:
    """Limits for one trial, known when it starts.

    Attributes:
        mode: `"min"` or `"max"`: how values are better.
        rungs: Updates, and the worst value with which a trial goes on there.
        most_updates: Updates after which it is ended.
        most_seconds: Seconds after which it is ended.

    Source: Li et al., 2018, arXiv:1810.05934 (ASHA) for the rungs; Li et al., 2016,
    arXiv:1603.06560 (Hyperband) for the brackets.

    >>> pruning = Pruning("max", rungs=((100, 0.9),))
    >>> pruning(50, 1.0, 0.5), pruning(110, 2.0, 0.95), pruning(110, 2.0, 0.8)
    (False, False, True)
    """

    mode: str
    rungs: tuple[tuple[int, float], ...] = ()
    most_updates: float = math.inf
    most_seconds: float = math.inf

    def __call__(self, updates: int, seconds: float, value: float) -> bool:
        """Return whether to end a trial that has come to a value."""
        passed = [worst for at, worst in self.rungs if updates >= at]
        behind = bool(passed) and self._is_worse(value, passed[-1])
        return behind or updates > self.most_updates or seconds > self.most_seconds

    def _is_worse(self, value: float, other: float) -> bool:
        return value < other if self.mode == "max" else value > other


def pruning_of(
    records: Iterable[dict[str, Any]],
    number: int,
    updates: int,
    monitor: str,
    mode: str,
    objective: str,
) -> Pruning:
    """Return the limits for the next trial.

    Where the final value counts, trials are compared at rungs. Where a target counts,
    a trial is ended when it has taken half as long again as the best one.

    Args:
        records: Of the trials so far.
        number: Number of the next trial.
        updates: Length of its training.
        monitor: The metric.
        mode: How it is better.
        objective: `"updates"`, `"seconds"` or `"final"`.
    """
    records = [r for r in records if r.get("curve")]
    if objective != "final":
        efforts = [r["reached"][objective] for r in records if r.get("reached")]
        most = SLACK * min(efforts, default=math.inf)
        if objective == "seconds":
            return Pruning(mode, most_seconds=most)
        return Pruning(mode, most_updates=most)
    if number % BRACKETS == BRACKETS - 1:
        return Pruning(mode)
    rungs = []
    for share in RUNGS:
        values = sorted(
            (v for r in records if (v := value_at(r, share, monitor)) is not None),
            reverse=mode == "max",
        )
        if len(values) >= FEWEST:
            rungs.append((round(share * updates), values[len(values) // KEPT]))
    return Pruning(mode, tuple(rungs))


def value_at(record: dict[str, Any], share: float, monitor: str) -> float | None:
    """Return the value of a trial after a share of its training, if it came there."""
    curve = record["curve"]
    planned = record.get("planned") or curve["updates"][-1]
    for updates, value in zip(curve["updates"], curve[monitor], strict=True):
        if updates >= share * planned:
            return value
    return None
