"""What a diagnosis says: findings, and what could not be judged."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

SEVERITIES = "error", "warning", "info"
WIDTH = 88  # columns of the text


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a training.

    Attributes:
        rule: Name of the rule that found it, such as `"overfitting"`.
        severity: `"error"`: the training does not work. `"warning"`: it probably works
            much worse than it could. `"info"`: something has no effect, or may go.
        sentence: What is wrong, with the figures behind it.
        code: One line of code to try.
        figures: The figures by name.
    """

    rule: str
    severity: str
    sentence: str
    code: str
    figures: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        text = _wrapped(f"{self.severity}: {self.sentence} [{self.rule}]", "  ")
        return f"{text}\n  Try: {self.code}"


@dataclass(frozen=True)
class NotJudged:
    """The answer of a rule that lacks what it reads.

    Attributes:
        why: What is missing, and how to get it.
    """

    why: str


class Diagnosis(list[Finding]):
    """The findings about one training, the most severe first, which print as text.

    It is empty if nothing was found.

    Args:
        findings: The findings.
        judged: Names of the rules that judged, with or without a finding.
        not_judged: Why a rule could not judge, by its name.

    >>> print(Diagnosis([], ["plateau"], {"overfitting": "there is no `val_loss`"}))
    Nothing was found. Judged: plateau.
    Not judged, since there is no `val_loss`: overfitting.
    """

    def __init__(
        self,
        findings: Iterable[Finding] = (),
        judged: Iterable[str] = (),
        not_judged: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sorted(findings, key=lambda x: SEVERITIES.index(x.severity)))
        self.judged = list(judged)
        self.not_judged = dict(not_judged or {})

    @property
    def rules(self) -> list[str]:
        """Names of the rules with a finding."""
        return [x.rule for x in self]

    def __str__(self) -> str:
        named = set(self.rules)
        fine = ", ".join(x for x in self.judged if x not in named)
        lines = [str(x) for x in self]
        if not self:
            what = f"Judged: {fine}." if fine else "No rule could judge."
            lines.append(_wrapped(f"Nothing was found. {what}"))
        elif fine:
            lines.append(_wrapped(f"Nothing to say about: {fine}."))
        reasons: dict[str, list[str]] = {}
        for rule, why in self.not_judged.items():
            reasons.setdefault(why, []).append(rule)
        lines += [
            _wrapped(f"Not judged, since {why}: {', '.join(rules)}.")
            for why, rules in reasons.items()
        ]
        return "\n".join(lines)

    __repr__ = __str__


def _wrapped(text: str, indent: str = "  ") -> str:
    """Return a text in lines of `WIDTH` columns; code in it is not broken."""
    return textwrap.fill(
        text,
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
