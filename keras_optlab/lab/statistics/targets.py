"""Steps and seconds to targets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_optlab.core.errors import shown
from keras_optlab.finders.text_table import text_table
from keras_optlab.lab.statistics.measures import Score

Curve = tuple[Sequence[float], Sequence[Score]]  # efforts, metric after each of them


@dataclass(frozen=True)
class TargetRow:
    """How soon an optimizer reached a target.

    Attributes:
        label: The optimizer's label.
        target: Value of the metric.
        runs: Runs.
        reached: How many of them reached it.
        median: Median effort; `None` if half of the runs or more did not reach it.
        fastest: The smallest effort; `None` if no run reached it.
        slowest: The largest effort; `None` if a run did not reach it.
        expected: Effort of all runs together by the number that reached it: what is
            expected if a run is started anew until one does (Hansen et al., 2016,
            arXiv:1605.03560). `None` if no run reached it.
    """

    label: str
    target: float
    runs: int
    reached: int
    median: float | None
    fastest: float | None
    slowest: float | None
    expected: float | None


@dataclass(frozen=True)
class TargetTable:
    """Rows by target and optimizer, the fastest first. `print` it for the text."""

    effort: str
    rows: tuple[TargetRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "effort": self.effort,
            "rows": [dataclasses.asdict(row) for row in self.rows],
        }

    def __str__(self) -> str:
        head = ("target", self.effort, "fastest", "slowest", "reached", "expected", "")
        rows = [
            (
                f"{r.target:g}",
                *map(_figure, (r.median, r.fastest, r.slowest)),
                f"{r.reached} of {r.runs}",
                _figure(r.expected),
                r.label,
            )
            for r in self.rows
        ]
        return text_table([head, *rows])


def first_reached(
    efforts: Sequence[float],
    values: Sequence[Score],
    target: float,
    *,
    higher_is_better: bool = False,
) -> float | None:
    """Return the first effort after which a metric met its target; `None` if none did.

    Args:
        efforts: Steps or seconds at each evaluation, ascending.
        values: The metric at each of them; `None` or NaN never meets the target.
        target: Value to reach, itself included.
        higher_is_better: Whether the metric rises, such as an accuracy.

    Raises:
        ValueError: if the lengths differ, or an effort is below the one before.

    >>> first_reached([10, 20, 30], [0.9, 0.97, 0.96], 0.96, higher_is_better=True)
    20
    """
    if len(efforts) != len(values):
        raise ValueError(
            "`efforts` and `values` must have the same length. "
            f"Received: {len(efforts)} efforts, {len(values)} values"
        )
    if any(b < a for a, b in zip(efforts, efforts[1:], strict=False)):
        raise ValueError(
            f"`efforts` must be ascending. Received: efforts={shown(efforts)}"
        )
    for effort, value in zip(efforts, values, strict=True):
        known = math.nan if value is None else value
        if known >= target if higher_is_better else known <= target:
            return effort
    return None


def target_table(
    curves: Mapping[str, Sequence[Curve]],
    targets: Sequence[float],
    *,
    effort: str = "steps",
    higher_is_better: bool = False,
) -> TargetTable:
    """Return how soon each optimizer reached each target.

    Args:
        curves: For each optimizer its runs: pairs of efforts and metric values. The
            last effort of a run is what it spent without reaching the target.
        targets: Values of the metric.
        effort: What the efforts are, for the head of the table.
        higher_is_better: Whether the metric rises, such as an accuracy.

    Raises:
        ValueError: as `first_reached`; if there is no target, or an empty run.

    >>> runs = [([10, 20, 30], [0.9, 0.5, 0.2]), ([10, 20, 30], [0.8, 0.3, 0.2])]
    >>> print(target_table({"sgd": runs}, [0.5, 0.1]))
    target  steps  fastest  slowest  reached  expected
       0.5     20       20       20   2 of 2        20  sgd
       0.1      -        -        -   0 of 2         -  sgd
    """
    if not targets:
        raise ValueError(f"`targets` must not be empty. Received: targets={targets}")
    rows = []
    for target in targets:
        found = [
            _row(label, target, runs, higher_is_better)
            for label, runs in curves.items()
        ]
        rows += sorted(found, key=_order)
    return TargetTable(effort, tuple(rows))


def _row(
    label: str, target: float, runs: Sequence[Curve], higher_is_better: bool
) -> TargetRow:
    found, spent = [], 0.0
    for efforts, values in runs:
        if not len(efforts):
            raise ValueError(
                f"A run must have at least one evaluation. Received: {label}={runs}"
            )
        first = first_reached(
            efforts, values, target, higher_is_better=higher_is_better
        )
        spent += efforts[-1] if first is None else first
        found.append(math.inf if first is None else first)
    reached = [x for x in found if math.isfinite(x)]
    middle = float(np.median(found)) if found else math.inf
    return TargetRow(
        label=label,
        target=target,
        runs=len(found),
        reached=len(reached),
        median=middle if math.isfinite(middle) else None,
        fastest=min(reached, default=None),
        slowest=max(found) if reached and len(reached) == len(found) else None,
        expected=spent / len(reached) if reached else None,
    )


def _order(row: TargetRow) -> tuple[float, float]:
    """Sort by the median, then by what is expected."""
    return (
        math.inf if row.median is None else row.median,
        math.inf if row.expected is None else row.expected,
    )


def _figure(x: float | None) -> str:
    return "-" if x is None else f"{x:.4g}"
