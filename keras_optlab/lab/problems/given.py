"""Problems that this process was given as objects, by a reference."""

from __future__ import annotations

from typing import Any

GIVEN: dict[str, Any] = {}


def give(reference: str, problem: Any) -> str:
    """Have `find(reference)` return a problem in this process; return the reference.

    A trial names its problem by a text, which is also in its record. A process that
    cannot look the text up is given the problem itself.
    """
    GIVEN[reference] = problem
    return reference
