"""Scores: how good a record is, as one number; lower is better."""

from __future__ import annotations

import math
from typing import Any

from keras_optlab.core.errors import shown
from keras_optlab.lab.problems import Problem

OBJECTIVES = ("updates", "seconds", "final")
FAILED = 1e6  # the score of a training that has no value


def error_of(value: float | None, mode: str) -> float:
    """Return a value that is better when lower: for an accuracy, the share of errors.

    >>> error_of(0.98, "max").__round__(2), error_of(0.1, "min"), error_of(None, "min")
    (0.02, 0.1, inf)
    """
    if value is None:
        return math.inf
    return 1 - value if mode == "max" else value


def score(record: dict[str, Any], problem: Problem, objective: str) -> float:
    """Return how good a record is, to choose between settings.

    Args:
        record: Of one trial.
        problem: Its problem.
        objective: `"updates"` or `"seconds"` to the target, or the `"final"` value.

    Returns:
        For `"final"` the error at the end. Otherwise the updates or seconds if the
        target was reached. If it was not: those of the whole training, twice, and more
        the farther it was away, so that a search learns from such trials too.
    """
    error = error_of(record.get("value"), problem.mode)
    if objective == "final":
        return error if math.isfinite(error) else FAILED
    if record.get("reached"):
        return record["reached"][objective]
    target = problem.target
    if not math.isfinite(error) or target is None:
        return FAILED
    goal = max(error_of(target.value, target.mode), 1e-12)
    budget = problem.updates
    if objective == "seconds":
        budget *= record["step_seconds"]
    return budget * (2 + min(max(error / goal - 1, 0.0), 1e3))


def promise(record: dict[str, Any], problem: Problem, objective: str) -> float:
    """Return a score for a search to learn from; lower is better.

    A setting that misses the target by little is worth more tries near it, above all
    one with a short training. So it counts as what a longer training would need, if
    the error fell with the cube root of the updates: a cautious guess, so that trials
    that come nearer to the target count as better.
    """
    found = score(record, problem, objective)
    error, target = error_of(record.get("value"), problem.mode), problem.target
    if objective == "final" or target is None or record.get("reached"):
        return found
    goal = max(error_of(target.value, target.mode), 1e-12)
    if not math.isfinite(error) or error <= 0:
        return FAILED
    needed = record["planned"] * max(error / goal, 1.0) ** 3
    return needed * record["step_seconds"] if objective == "seconds" else needed


def check_objective(objective: str | None, problem: Problem) -> str:
    """Return the objective; `None` is `"updates"` if the problem has a target.

    Raises:
        ValueError: if there is no such objective, or no target.
    """
    if objective is None:
        return "updates" if problem.target else "final"
    if not isinstance(objective, str) or objective not in OBJECTIVES:
        raise ValueError(
            f"expected an objective of {', '.join(OBJECTIVES)}. "
            f"Received: objective={shown(objective)}"
        )
    if objective != "final" and problem.target is None:
        raise ValueError(
            f"objective={shown(objective)} needs a problem with a target. Received: "
            f"{problem.name!r}, which has none. Set `target`, or objective='final'."
        )
    return objective
