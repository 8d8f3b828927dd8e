"""What a study did, and what it cannot show."""

from __future__ import annotations

from typing import Any

from keras_optlab.lab.phases import CONFIRMATIONS, CONFIRMED
from keras_optlab.lab.report.material import PURPOSES, Material
from keras_optlab.lab.report.number_text import counted, duration, figure, listed

UNEQUAL = (
    "Which optimizer is better: a search tries most what does well, so they do not "
    "have the same budget. A comparison gives it to them."
)
# What no study of one problem shows.
NOT_SHOWN = (
    "Other models, data, batch sizes, and trainings of another length: the ranking "
    "holds for this problem.",
    "Arguments that were not searched: they had their default values.",
    "Seconds on other machines, or with another number of trials at once. Updates do "
    "not depend on it.",
)


def unfinished(material: Material) -> str:
    """Return what is missing, in a sentence; empty if the study is complete."""
    comparison = material.comparison
    if comparison.is_finished:
        return ""
    seeds = comparison.study.config["seeds"]
    without = [e.label for e in material.entries if len(e.finals) < seeds]
    missing = (
        "" if material.is_tuning else f"; final runs of {listed(without)} are missing"
    )
    done = counted(len(comparison.study.records), "trial")
    return (
        f"This study is not finished: {done} done{missing}. Run it again with the same "
        "arguments to go on."
    )


def method(material: Material) -> list[str]:
    """Return how the study was done, in sentences."""
    config = material.comparison.study.config
    by, number = material.noun(config["objective"]), config["trials"]
    search = (
        f"Search: {counted(number, 'setting')} of each optimizer, one seed, scored on "
        "the validation data. An optimizer with one setting is not searched."
    )
    if material.is_tuning:
        search = (
            f"Search: {counted(number, 'setting')} of all optimizers together, each by "
            "what the ones before came to (Optuna's TPE), one seed, scored on the "
            "validation data. Trials that were behind were ended early."
        )
    confirmation = (
        f"Confirmation: the best {counted(CONFIRMED, 'setting')} with "
        f"{counted(CONFIRMATIONS, 'more seed')}. The best mean is chosen, by {by}."
    )
    if config["seeds"] == 1 and not material.is_tuning:
        confirmation = f"Choice: the best setting of the search, by {by}."
    return [
        search,
        confirmation,
        f"Final: the chosen setting with {counted(config['seeds'], 'fresh seed')}, on "
        "the test data, if the problem has some."
        + " Only these runs are compared."
        * (not material.is_tuning),
    ]


def not_shown(material: Material) -> list[str]:
    """Return what the study cannot tell, in sentences."""
    return [*[UNEQUAL] * material.is_tuning, *NOT_SHOWN]


def limits(material: Material, at_edge: list[str]) -> list[str]:
    """Return what weakens the result, in sentences."""
    found = []
    seeds = material.comparison.study.config["seeds"]
    if seeds < 3 and not material.is_tuning:
        found.append(
            f"{counted(seeds, 'seed')}: "
            + (
                "no verdict is possible."
                if seeds < 2
                else "only large differences show."
            )
        )
    if at_edge:
        found.append(
            f"The best rate of {listed(at_edge)} is the lowest or highest that was "
            "tried: a better one may lie beyond. Search a wider space."
        )
    found += _lost(material)
    found += [note for note in (material.main.notes if material.main else ())]
    if any(entry.finals for entry in material.entries):
        found += [f"Not judged: {t}" for t in dict.fromkeys(material.refusals.values())]
    return found


def _lost(material: Material) -> list[str]:
    """Return which trials gave no result, in sentences."""
    found = []
    for status in ("failed", "diverged"):
        for purpose in PURPOSES:
            counts = []
            for entry in material.entries:
                runs = entry.records[purpose]
                number = sum(r["status"] == status for r in runs)
                counts += [f"{entry.label} {number} of {len(runs)}"] if number else []
            if counts:
                found.append(
                    f"Runs of the {WHERE[purpose]} that {status}: {', '.join(counts)}."
                )
    return found


WHERE = {"search": "search", "confirm": "confirmation", "final": "final"}


def failures(material: Material) -> list[tuple[str, str]]:
    """Return the failed trials and their errors."""
    return [
        (record["key"], record.get("error") or "no message")
        for entry in material.entries
        for record in entry.with_status("failed")
    ]


def facts(material: Material) -> list[tuple[str, str]]:
    """Return the facts of the study by name."""
    study = material.comparison.study
    config, problem = study.config, material.facts
    records = study.records.values()
    spent = sum(r.get("total_seconds") or 0.0 for r in records)
    budget = f"{problem['updates']:,} updates at most"
    found: list[tuple[str, Any]] = [
        ("Problem", f"{config['problem']} {problem['summary']}".strip()),
        (
            "Data",
            f"{problem['rows']:,} rows to train on, {problem['batch_size']} a batch",
        ),
        ("Length", budget),
        ("Target", material.aim or "none"),
        ("Settings chosen by", material.noun(config["objective"])),
        (
            "Trials",
            f"{len(records):,}, {duration(spent)} in all",
        ),
        ("Seeds", f"from {config['seed']}; {config['seeds']} fresh"),
        ("Changed", ", ".join(f"{k}={v}" for k, v in config["changes"].items())),
        ("Devices a trial", config["devices"]),
        ("Machine", _machine(study.machine)),
        ("Versions", ", ".join(f"{k} {v}" for k, v in study.versions.items())),
        *((f"Run {i}", _run(run)) for i, run in enumerate(study.runs, 1)),
    ]
    if material.main and material.main.margin_effect is not None:
        margin = figure(material.main.margin_effect)
        times = " times" if material.main.measure.is_ratio else ""
        found.append(("Margin", f"{margin}{times}: smaller differences do not count"))
    return [(name, str(value)) for name, value in found if value not in ("", None)]


def _machine(machine: dict[str, Any]) -> str:
    return (
        f"{machine['processor']}, {counted(machine['cores'] or 0, 'core')}, "
        f"{machine['system']}, backend {machine['backend']}"
    )


def _run(run: dict[str, Any]) -> str:
    others = ", ".join(f"{k} {v}" for k, v in run.items() if k != "begun")
    begun = run["begun"].replace("T", " ").replace("+00:00", " UTC")
    return f"{begun}: {others}"
