"""Verdicts in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from keras_optlab.lab.statistics.measures import Measure


@dataclass(frozen=True)
class Runs:
    """How many runs an optimizer had, and how many of them failed."""

    label: str
    count: int
    failed: int

    @property
    def all_failed(self) -> bool:
        """Whether no run has a score."""
        return 0 < self.failed == self.count


def size(
    measure: Measure,
    second: str,
    effect: float,
    low: float | None = None,
    high: float | None = None,
) -> str:
    """Return a difference in words: `loss 0.85 times sgd's (0.8 to 0.9)`."""
    interval = "" if low is None else f" ({low:.3g} to {high:.3g})"
    if measure.is_ratio:
        return f"{measure.compared} {effect:.3g} times {second}'s{interval}"
    return f"{measure.compared} minus {second}'s is {effect:.3g}{interval}"


def at_most(measure: Measure, second: str, effect: float) -> str:
    """Return the same where the second never reached the target: a bound."""
    return f"{measure.compared} at most {effect:.3g} times {second}'s"


def failures(measure: Measure, *runs: Runs) -> str:
    """Return which runs have no score, as a sentence; empty if all have one."""
    lost = "did not reach the target" if measure.kind == "effort" else "failed"
    parts = [f"{r.failed} of {r.count} runs of {r.label}" for r in runs if r.failed]
    return f" {' and '.join(parts)} {lost}." if parts else ""


def apart(first: Runs, second: Runs, size: str, failed: str) -> str:
    """Return the sentence for a pair whose first is better."""
    return f"{first.label} is better than {second.label}:{_clause(size)}{failed}"


def together(first: Runs, second: Runs, size: str, failed: str, advice: str) -> str:
    """Return the sentence for a pair that is not distinguishable."""
    runs = f"{first.count} runs each"
    if first.count != second.count:
        runs = f"{first.count} and {second.count} runs"
    return (
        f"{first.label} and {second.label} are not distinguishable with this budget "
        f"({runs}):{_clause(size)}{failed} {advice}"
    )


def _clause(size: str) -> str:
    return f" {size}." if size else ""


def advice(measure: Measure, needed: float, luck: bool, margin: float) -> str:
    """Return what it would take to tell a pair apart.

    Args:
        measure: What was measured.
        needed: Runs of each; NaN within the margin, infinite if no number suffices.
        luck: Whether another search for the settings might change the difference.
        margin: The margin, as an effect.
    """
    if math.isnan(needed):
        limit = f"{margin:.4g} times" if measure.is_ratio else f"{margin:.3g}"
        return (
            f"The difference is within the margin ({limit}): if the true one is too, "
            "more runs will not tell them apart."
        )
    if math.isfinite(needed):
        return (
            f"If the true difference is the measured one, about {needed:.0f} runs each "
            "would show it."
        )
    if luck:
        return (
            "More runs will not tell them apart: another search for the settings might "
            "change as much. It takes more trials of tuning."
        )
    return (
        "If the true difference is the measured one, not even 1000 runs each would "
        "show it."
    )


def both_failed(measure: Measure) -> str:
    """Return what it would take for two optimizers of which no run has a score."""
    if measure.kind == "effort":
        return "It takes a larger budget or an easier target."
    return "It takes runs that do not fail."


def untested(measure: Measure, first: Runs, second: Runs, size: str) -> str:
    """Return the sentence for a pair that cannot be tested."""
    start = f"{first.label} and {second.label} are not distinguishable"
    few = [r for r in (first, second) if r.count < 2]
    if first.all_failed and second.all_failed:
        return f"{start}:{failures(measure, first, second)} {both_failed(measure)}"
    seen = f" What was seen: {size}." if size else ""
    if few:
        counts = " and ".join(f"{r.label} has {r.count or 'no'}" for r in few)
        return (
            f"{start} without at least 2 runs each: {counts}. A single run does not "
            f"show how much runs vary.{seen}"
        )
    return (
        f"{start}: all runs of an optimizer have the same score, so the seeds do not "
        f"show how much runs vary.{seen}"
    )
