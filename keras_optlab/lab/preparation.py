"""What `compare` and `tune` do before the first trial: checks, and the folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_optlab.core.arguments import local_path, number, optional_number
from keras_optlab.core.errors import shown
from keras_optlab.lab.devices import check_batch
from keras_optlab.lab.phases import Plan
from keras_optlab.lab.problem_files import as_problem, fingerprint, reference_of
from keras_optlab.lab.problems import Problem
from keras_optlab.lab.scores import check_objective
from keras_optlab.lab.studies import Study
from keras_optlab.lab.trials import Candidate, parsed

OF_PROBLEM = {
    "epochs": ("> 0", "length of a training"),
    "target": ("(-inf, inf)", "value of the target"),
}
OF_BUDGET = {
    "trials": "settings tried for each optimizer",
    "seeds": "fresh seeds of the chosen setting",
    "devices": "devices that share each batch",
    "seed": "first seed",
}
Progress = Callable[[dict[str, Any], int, int], None]


def prepared(
    kind: str,
    problem: Any,
    optimizers: Any,
    data: Any,
    folder: str | Path | None,
    given: dict[str, Any],
    objective: str | None,
    budget: dict[str, Any],
) -> tuple[Plan, Study]:
    """Return what to run, and the folder of the study.

    Args:
        kind: `"compare"` or `"tune"`.
        problem: As in `compare`.
        optimizers: As in `compare`.
        data: As in `compare`.
        folder: As in `compare`.
        given: Fields of the problem that the study changes; not those that are `None`.
        objective: As in `compare`.
        budget: `trials`, `seeds`, `devices`, `seed`, and others of the study.

    Raises:
        TypeError: if an argument has a wrong type.
        ValueError: if an argument is out of range, or the folder has another study.
    """
    budget = {k: _of_budget(k, v) for k, v in budget.items()}
    given = {k: optional_number(k, v, *OF_PROBLEM[k]) for k, v in given.items()}
    folder = None if folder is None else local_path("folder", folder)
    made = as_problem(problem, data)
    candidates = _candidates(optimizers)
    changes = {k: v for k, v in given.items() if v is not None}
    changed = made.with_changes(**changes)
    objective = check_objective(objective, changed)
    if changed.splits.rows is not None:
        check_batch(min(changed.batch_size, changed.splits.rows), budget["devices"])
    plan = Plan(
        changed,
        candidates,
        budget["trials"],
        budget["seeds"],
        objective,
        budget["seed"],
        changes,
        budget["devices"],
    )
    config = {
        "kind": kind,
        "backend": keras.backend.backend(),
        "problem": made.name,
        "changes": changes,
        "problem_facts": _facts(changed),
        "optimizers": [_described(c) for c in candidates],
        "objective": objective,
        **budget,
    }
    if not isinstance(problem, str):
        config["fingerprint"] = fingerprint(made)
    default = made.name if kind == "compare" else f"{made.name}-tuned"
    study = Study(Path("studies", default) if folder is None else folder, config)
    plan.reference = reference_of(problem, made, study.folder)
    return plan, study


def _of_budget(name: str, value: Any) -> Any:
    """Return a checked number of the budget, of Python's own type, as JSON needs."""
    if name == "minutes":
        return optional_number(name, value, "> 0", "end of the search")
    within = f"[0, {2**31}]" if name == "seed" else ">= 1"
    return number(name, value, within, OF_BUDGET[name], integer=True)


def _candidates(optimizers: Any) -> list[Candidate]:
    candidates = parsed(optimizers)
    labels = [c.label for c in candidates]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise ValueError(
            "expected different optimizers to compare. "
            f"Received: {shown(list(labels))}. Give a lab.Candidate a `label`."
        )
    return candidates


def _facts(problem: Problem) -> dict[str, Any]:
    """Return what a report says of the problem."""
    target = problem.target
    return {
        "summary": problem.summary,
        "monitor": problem.monitor,
        "mode": problem.mode,
        "target": None if target is None else dataclasses.asdict(target),
        "updates": problem.updates,
        "batch_size": problem.batch_size,
        "rows": problem.splits.rows,
        "test_rows": problem.splits.test_rows,
    }


def _described(candidate: Candidate) -> dict[str, Any]:
    return {
        "label": candidate.label,
        "optimizer": candidate.optimizer,
        "fixed": dict(candidate.fixed),
        "space": {k: repr(v) for k, v in candidate.space.items()},
    }
