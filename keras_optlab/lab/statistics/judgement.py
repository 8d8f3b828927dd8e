"""What `judge` found: the verdict on each pair, and the ranking."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from keras_optlab.core.errors import shown
from keras_optlab.finders.text_table import text_table
from keras_optlab.lab.statistics.measures import Measure

Outcome = Literal["better", "worse", "not distinguishable"]
TURNED: dict[Outcome, Outcome] = {"better": "worse", "worse": "better"}
MOST_SENTENCES = 21  # in a text: all pairs of seven optimizers


@dataclass(frozen=True)
class Verdict:
    """The verdict on a pair of optimizers.

    Attributes:
        first: Label of an optimizer.
        second: Label of another one.
        outcome: What the first is: `"better"`, `"worse"` or `"not distinguishable"`.
        effect: Score of the first as a multiple of the second's (the ratio of losses,
            errors, steps or seconds: below 1 is better); for scores of kind `"value"`
            the difference first - second. `None` if either has no score. If no run of
            the second reached the target, it is computed with the budget: a bound.
        low: Lower end of the interval of the effect; `None` if it is unknown. All
            intervals of a judgement together hold with a confidence of 1 - alpha.
        high: Upper end.
        p: p value of a difference beyond the margin, corrected for the number of pairs;
            `None` if the pair cannot be tested.
        runs_needed: Runs of each of the two with which the pair would be told apart
            with a chance of 80 %, if the difference is what it seems now; `None` if the
            pair is told apart, or more runs do not help.
        sentence: The verdict in words, seen from the better of the two.
    """

    first: str
    second: str
    outcome: Outcome
    effect: float | None
    low: float | None
    high: float | None
    p: float | None
    runs_needed: int | None
    sentence: str

    def turned(self, is_ratio: bool) -> Verdict:
        """Return the same verdict, seen from the second optimizer."""

        def turn(x: float | None) -> float | None:
            if x is None or not is_ratio:
                return None if x is None else -x
            return 1 / x if x else None

        return dataclasses.replace(
            self,
            first=self.second,
            second=self.first,
            outcome=TURNED.get(self.outcome, self.outcome),
            effect=turn(self.effect),
            low=turn(self.high),
            high=turn(self.low),
        )

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Standing:
    """An optimizer's place in the ranking.

    Attributes:
        place: 1 for the best mean. Neighbours may not be distinguishable.
        label: The optimizer's label.
        runs: Fresh runs.
        failed: How many of them failed, or did not reach the target.
        mean: Their mean, as a score (the geometric mean of losses, errors, steps or
            seconds); failed runs count as `Measure` says. `None` if all failed.
        low: Lower end of its interval over seeds, for this optimizer alone; `None` for
            a single run.
        high: Upper end.
        median: The median score; `None` if it is that of a failed run.
        better_than: Labels of those that it is better than.
        worse_than: Labels of those that it is worse than.
    """

    place: int
    label: str
    runs: int
    failed: int
    mean: float | None
    low: float | None
    high: float | None
    median: float | None
    better_than: tuple[str, ...]
    worse_than: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """Ranking and verdicts of a study. `print` it for the text.

    Attributes:
        measure: What was compared.
        ranking: One `Standing` an optimizer, the best mean first.
        pairs: One `Verdict` a pair, in the order of the ranking.
        alpha: Chance that any verdict is false while all optimizers are equal, at most.
        margin: Differences up to this many standard deviations of a run do not count.
        margin_effect: The same as a ratio (1.02: up to 2 %), or as a difference.
        seed_spread: Standard deviation of a run, pooled over optimizers, on the scale:
            about the relative one for losses, errors and efforts.
        tuning_spread: Standard deviation from tuning anew; `None` if it is unknown.
        notes: What a reader must know about the judgement.
    """

    measure: Measure
    ranking: tuple[Standing, ...]
    pairs: tuple[Verdict, ...]
    alpha: float
    margin: float
    margin_effect: float | None
    seed_spread: float | None
    tuning_spread: float | None
    notes: tuple[str, ...]

    @property
    def winner(self) -> str | None:
        """The optimizer that is better than all others; `None` if there is none."""
        first = self.ranking[0]
        alone = 0 < len(first.better_than) == len(self.ranking) - 1
        return first.label if alone else None

    @property
    def leaders(self) -> tuple[str, ...]:
        """The best optimizer, and all that are not distinguishable from it."""
        first, *others = self.ranking
        return (
            first.label,
            *(s.label for s in others if s.label not in first.better_than),
        )

    def verdict(self, first: str, second: str) -> Verdict:
        """Return the verdict on two optimizers, seen from the first.

        Raises:
            KeyError: if there is no such pair.
        """
        for pair in self.pairs:
            if (pair.first, pair.second) == (first, second):
                return pair
            if (pair.second, pair.first) == (first, second):
                return pair.turned(self.measure.is_ratio)
        labels = ", ".join(s.label for s in self.ranking)
        raise KeyError(
            f"No pair of these optimizers was judged. Judged: {labels}. "
            f"Received: first={shown(first)}, second={shown(second)}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values, with `winner` and `leaders`."""
        found = dataclasses.asdict(self)
        return _listed({**found, "winner": self.winner, "leaders": self.leaders})

    def table(self) -> str:
        """Return the ranking as text."""
        rows = [("place", "mean", "interval", "median", "failed", "", "")]
        for s in self.ranking:
            known = s.low is not None and s.high is not None
            rows.append(
                (
                    str(s.place),
                    _figure(s.mean),
                    f"{_figure(s.low)} to {_figure(s.high)}" if known else "-",
                    _figure(s.median),
                    f"{s.failed} of {s.runs}",
                    s.label,
                    f"better than {', '.join(s.better_than)}" if s.better_than else "",
                )
            )
        return text_table(rows)

    def __str__(self) -> str:
        shown = [pair.sentence for pair in self.pairs[:MOST_SENTENCES]]
        if len(self.pairs) > len(shown):
            shown.append(f"`pairs` has all {len(self.pairs)} verdicts.")
        parts = [self.headline, "", self.table(), "", *shown, "", *self.notes]
        return "\n".join(parts).strip()

    @property
    def headline(self) -> str:
        """Who won, in one sentence."""
        name = self.measure.name
        if self.winner:
            return f"{self.winner} has the best {name}: better than all others."
        if len(self.ranking) == 1:
            return f"{self.ranking[0].label} was measured alone."
        first, *others = self.leaders
        if self.ranking[0].mean is None:
            return "No run has a score."
        return (
            f"No optimizer is better than all others. Best mean {name}: {first}; not "
            f"distinguishable from it: {', '.join(others)}."
        )


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _listed(v) for k, v in value.items()}
    return [_listed(v) for v in value] if isinstance(value, tuple | list) else value


def _figure(x: float | None) -> str:
    return "-" if x is None else f"{x:.4g}"
