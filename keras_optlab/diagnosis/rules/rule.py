"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keras_optlab.diagnosis.findings import Finding, NotJudged
from keras_optlab.diagnosis.record import Record

Verdict = Finding | NotJudged | None  # `None`: nothing is wrong


@dataclass(frozen=True)
class Rule:
    """A rule, with its row in the table of `docs/diagnosis.md`.

    Attributes:
        name: Its name.
        judge: Returns the verdict on a record.
        says: What it finds, and from which limits on.
        source: A paper or a rule of thumb, or `"own"`.
    """

    name: str
    judge: Callable[[Record], Verdict]
    says: str
    source: str
