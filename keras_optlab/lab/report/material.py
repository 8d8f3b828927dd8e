"""`Material`: what a report is made of: judgements, and records by optimizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_optlab.lab.report.number_text import figure, median
from keras_optlab.lab.scores import error_of
from keras_optlab.lab.statistics import Judgement
from keras_optlab.lab.trials import Setting

if TYPE_CHECKING:
    from keras_optlab.lab.comparison import Comparison

Record = dict[str, Any]

COLOURED = 5  # optimizers that have a colour of their own; the others are grey
PURPOSES = ("search", "confirm", "final")


@dataclass(frozen=True)
class Entry:
    """An optimizer in a report.

    Attributes:
        number: Its number in the order of the ranking, from 0.
        label: What it is called.
        records: Its records by purpose: `"search"`, `"confirm"`, `"final"`.
    """

    number: int
    label: str
    records: dict[str, list[Record]]

    @property
    def kind(self) -> str:
        """The class of its marks, which has the colour."""
        return f"c{self.number}" if self.number < COLOURED else "rest"

    @property
    def finals(self) -> list[Record]:
        """The records of the final runs."""
        return self.records["final"]

    @property
    def every(self) -> list[Record]:
        """All its records."""
        return [r for of_purpose in self.records.values() for r in of_purpose]

    @property
    def setting(self) -> Setting | None:
        """The chosen setting; `None` if there is no final run yet."""
        return Setting(**self.finals[0]["setting"]) if self.finals else None

    def median_of(self, name: str) -> float | None:
        """Return the median of a number over the final runs."""
        return median([r.get(name) for r in self.finals])

    def with_status(self, *statuses: str) -> list[Record]:
        """Return all its records with one of these statuses."""
        return [r for r in self.every if r["status"] in statuses]


class Material:
    """What a report is made of.

    Args:
        comparison: The comparison, perhaps unfinished.

    Attributes:
        comparison: The comparison.
        judgements: What can be judged, by objective; the one that settings were chosen
            by comes first.
        refusals: Why an objective cannot be judged, by objective.
        entries: The optimizers, the best first; those without results are the last.
        facts: What the study says of the problem.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.facts: dict[str, Any] = comparison.study.config["problem_facts"]
        self.judgements: dict[str, Judgement] = {}
        self.refusals: dict[str, str] = {}
        first = comparison.objective
        others = [o for o in comparison.objectives if o != first]
        for objective in (first, *others):
            try:
                self.judgements[objective] = comparison.judge(objective)
            except ValueError as error:  # nothing final yet, or scores out of range
                self.refusals[objective] = str(error)
        self.entries = [Entry(i, k, _records(comparison, k)) for i, k in self._order()]

    def _order(self) -> list[tuple[int, str]]:
        known = [s.label for s in self.main.ranking] if self.main else []
        rest = [k for k in self.comparison.labels if k not in known]
        return list(enumerate([*known, *rest]))

    @property
    def main_objective(self) -> str | None:
        """The objective that ranks: the first by which anything has a score."""
        scored = [
            o for o, j in self.judgements.items() if j.ranking[0].mean is not None
        ]
        return next(iter([*scored, *self.judgements]), None)

    @property
    def main(self) -> Judgement | None:
        """The judgement that ranks; `None` if there is none yet."""
        return self.judgements.get(self.main_objective or "")

    @property
    def is_tuning(self) -> bool:
        """Whether the study is one of `tune`, which has one setting in the end."""
        return self.comparison.study.config["kind"] == "tune"

    @property
    def is_accuracy(self) -> bool:
        """Whether the final value is one that is better when higher."""
        return self.facts["mode"] == "max"

    @property
    def aim(self) -> str:
        """The target in words, such as `accuracy 0.98`; empty if there is none."""
        target = self.facts["target"]
        return f"{target['metric']} {target['value']:g}" if target else ""

    def noun(self, objective: str) -> str:
        """Return what the scores of an objective are."""
        monitor = self.facts["monitor"]
        return (
            f"final {monitor}" if objective == "final" else f"{objective} to {self.aim}"
        )

    def cost(self, objective: str) -> Callable[[float], float]:
        """Return the function from a score to what stands on an axis.

        That is the error of an accuracy, whose ratios say more.
        """
        mode = self.facts["mode"] if objective == "final" else "min"
        return lambda score: error_of(score, mode)

    def text(self, objective: str, score: float | None) -> str:
        """Return a score as text."""
        if score is not None and objective == "final":
            return f"{score:.4f}" if self.is_accuracy else figure(score, 4)
        return figure(score)

    def shown(self, objective: str) -> Callable[[float], str]:
        """Return the function from what stands on an axis to a score as text."""
        if objective == "final" and self.is_accuracy:
            return lambda error: figure(1 - error, 4)
        return figure


def _records(comparison: Comparison, label: str) -> dict[str, list[Record]]:
    return {purpose: comparison.records(label, purpose) for purpose in PURPOSES}
