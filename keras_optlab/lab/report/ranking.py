"""The table of the optimizers, the best first."""

from __future__ import annotations

from keras_optlab.lab.report.figures import Cell, Table, cell
from keras_optlab.lab.report.material import Entry, Material
from keras_optlab.lab.report.number_text import duration, figure
from keras_optlab.lab.report.verdicts import short
from keras_optlab.lab.statistics import Standing


def ranking(material: Material) -> Table:
    """Return the table; the verdict is in the second column."""
    judgements = material.judgements
    efforts = [o for o in ("updates", "seconds") if o in judgements]
    by = (
        "final value" if material.main_objective == "final" else material.main_objective
    )
    head = [
        "optimizer",
        f"verdict by {by}" if by else "verdict",
        *(material.noun(o) for o in efforts),
    ]
    head += [material.noun("final")] if "final" in judgements else []
    head += ["step, ms", "optimizer, MB", "learning rate", "all its trials"]
    places = {o: {s.label: s for s in j.ranking} for o, j in judgements.items()}
    rows = []
    for entry in material.entries:
        cells = [Cell(entry.label), Cell(_verdict(material, entry))]
        cells += [_score(material, o, places[o].get(entry.label)) for o in efforts]
        if "final" in judgements:
            cells.append(_score(material, "final", places["final"].get(entry.label)))
        rows.append((*cells, *_costs(entry)))
    return Table("The optimizers, the best first", tuple(head), rows)


def _verdict(material: Material, entry: Entry) -> str:
    if not entry.finals:
        is_over = material.is_tuning and material.comparison.is_finished
        return "not chosen" if is_over else "no final run yet"
    if material.main is None:
        return "not judged"
    if material.is_tuning:
        return "chosen"
    return short(material.main, material.main.ranking[entry.number])


def _score(material: Material, objective: str, standing: Standing | None) -> Cell:
    if standing is None:
        return Cell("-")
    if standing.mean is None:
        return Cell("none" if objective == "final" else "never")
    mean, low, high = (
        material.text(objective, s)
        for s in (standing.mean, standing.low, standing.high)
    )
    notes = [f"{low} to {high}"] if standing.low is not None else []
    if standing.failed:
        notes.append(f"{standing.runs - standing.failed} of {standing.runs} runs")
    note = "; ".join(notes)
    return Cell(mean, standing.mean, note)


def _costs(entry: Entry) -> tuple[Cell, ...]:
    step, size = entry.median_of("step_seconds"), entry.median_of("optimizer_bytes")
    rate = entry.setting.arguments.get("learning_rate") if entry.setting else None
    rate = rate if isinstance(rate, int | float) else None
    spent = spent_seconds(entry)
    return (
        cell(None if step is None else 1000 * step),
        cell(None if size is None else size / 1e6),
        cell(rate),
        Cell(duration(spent), spent),
    )


def spent_seconds(entry: Entry) -> float:
    """Return the seconds of all its trials, with building and evaluating."""
    return sum(r.get("total_seconds") or 0.0 for r in entry.every)


def pairs(material: Material) -> Table | None:
    """Return the verdicts on all pairs; `None` if there are none."""
    judgement = material.main
    if judgement is None or not judgement.pairs:
        return None
    measure = judgement.measure
    what = f"{measure.compared}, {'ratio' if measure.is_ratio else 'difference'}"
    rows = []
    for pair in judgement.pairs:
        known = pair.low is not None and pair.high is not None
        ends = f"{figure(pair.low)} to {figure(pair.high)}" if known else "-"
        rows.append(
            (
                Cell(pair.first),
                Cell(pair.outcome + (" than" if pair.outcome == "better" else "")),
                Cell(pair.second),
                cell(pair.effect),
                Cell(ends, pair.low),
                cell(pair.runs_needed),
            )
        )
    head = ("first", "verdict", "second", what, "interval", "runs needed")
    return Table("All pairs", head, rows)


def trials(material: Material) -> Table:
    """Return the table of all trials."""
    names = {n for e in material.entries for r in e.every for n in _arguments(r)}
    others = sorted(names - {"learning_rate"})
    monitor = material.facts["monitor"]
    with_target = bool(material.aim)
    head = ["optimizer", "purpose", "setting", "seed", "status", monitor]
    head += [f"updates to {material.aim}"] if with_target else []
    head += [
        "updates",
        "seconds",
        "first update, s",
        "learning rate",
        "schedule",
        *others,
    ]
    rows = []
    for entry in material.entries:
        for r in entry.every:
            arguments = _arguments(r)
            cells = [Cell(entry.label), Cell(r["purpose"]), cell(r["index"])]
            cells += [Cell(str(r["seed"]), r["seed"]), Cell(r["status"])]
            cells.append(cell(r.get("value"), 4))
            if with_target:
                cells.append(cell((r.get("reached") or {}).get("updates")))
            cells += [cell(r.get("updates")), cell(r.get("seconds"))]
            cells.append(cell(r.get("first_seconds")))
            cells += [_argument(arguments.get("learning_rate"))]
            cells += [Cell(r["setting"]["schedule"])]
            rows.append((*cells, *(_argument(arguments.get(n)) for n in others)))
    return Table("All trials", tuple(head), rows)


def _arguments(record: dict) -> dict:
    return record["setting"]["arguments"]


def _argument(value: object) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return cell(value, 4)
    return Cell("" if value is None else str(value))
