"""The score against the learning rate, of all settings that were tried."""

from __future__ import annotations

from dataclasses import dataclass

from keras_optlab.lab.report.drawing import WIDTH, Drawing
from keras_optlab.lab.report.figures import Cell, Figure, Table, cell
from keras_optlab.lab.report.material import Entry, Material, Record
from keras_optlab.lab.report.number_text import counted, figure
from keras_optlab.lab.report.scales import Scale, scale_of

LEFT, RIGHT, TOP, BOTTOM = 46, WIDTH - 10, 4, 124
LOST = 18  # height of the row for trials without a score


@dataclass(frozen=True)
class Tried:
    """A trial of a search: its rate, and its score, if it has one."""

    rate: float
    score: float | None
    record: Record


def objective_of_rates(material: Material) -> str:
    """Return what is drawn: the final value if no setting reached the target."""
    comparison = material.comparison
    found = (
        comparison.scores(label, comparison.objective, "search")
        for label in comparison.labels
    )
    known = any(score is not None for scores in found for score in scores)
    return comparison.objective if known else "final"


def rate_charts(material: Material) -> tuple[list[Figure], list[str], list[str]]:
    """Return the charts, and what is to be said of the others.

    Returns:
        A chart for each optimizer whose rate was searched; the labels of the others;
        and the labels of those whose best rate is the lowest or highest tried.
    """
    objective = objective_of_rates(material)
    tried = {e.label: _tried(material, e, objective) for e in material.entries}
    searched = [
        e for e in material.entries if len({t.rate for t in tried[e.label]}) > 1
    ]
    cost = material.cost(objective)
    scores = [t.score for e in searched for t in tried[e.label]]
    known = [cost(s) for s in scores if s is not None]
    ends = (BOTTOM, TOP + LOST)
    if objective == "final" and material.is_accuracy:  # small errors are high
        ends = (TOP, BOTTOM - LOST)
    scale = scale_of(
        known, *ends, log=all(v > 0 for v in known), shown=material.shown(objective)
    )
    charts = [_chart(material, e, objective, tried[e.label], scale) for e in searched]
    others = [e.label for e in material.entries if e.every and e not in searched]
    return charts, others, [e.label for e in searched if _is_at_edge(e, tried[e.label])]


def _is_at_edge(entry: Entry, tried: list[Tried]) -> bool:
    """Return whether the chosen rate is the lowest or the highest that was tried."""
    rates = [t.rate for t in tried]
    chosen = entry.setting.arguments.get("learning_rate") if entry.setting else None
    return len(set(rates)) > 2 and chosen in (rates[0], rates[-1])


def _tried(material: Material, entry: Entry, objective: str) -> list[Tried]:
    found = []
    scores = material.comparison.scores(entry.label, objective, "search")
    for record, score in zip(entry.records["search"], scores, strict=True):
        rate = record["setting"]["arguments"].get("learning_rate")
        if isinstance(rate, int | float) and rate > 0:
            found.append(Tried(rate, score, record))
    return sorted(found, key=lambda t: t.rate)


def _chart(
    material: Material, entry: Entry, objective: str, tried: list[Tried], y: Scale
) -> Figure:
    x = scale_of([t.rate for t in tried], LEFT, RIGHT, log=True)
    cost, noun = material.cost(objective), material.noun(objective)
    drawing = Drawing(
        f"rate-{entry.number}",
        f"{entry.label}: {noun} by learning rate",
        f"A dot for each of {counted(len(tried), 'setting')}; a cross, in the row at "
        "the edge, for one without a score; a ring for the chosen one. The table below "
        "has the numbers.",
        BOTTOM + 36,
    )
    drawing.columns(x, TOP, BOTTOM, "learning rate")
    drawing.rows(y, LEFT, RIGHT)
    drawing.open(entry.kind)
    known = [
        (x.at(t.rate), y.at(cost(t.score)), t) for t in tried if t.score is not None
    ]
    if known:
        drawing.line([(at, height) for at, height, _ in known], "thin")
    lost = BOTTOM - 6 if y.start < y.end else TOP + 6
    if len(known) < len(tried):
        drawing.text(LEFT - 5, lost + 4, "none", "end soft")
    for t in tried:
        if t.score is None:
            drawing.cross(
                x.at(t.rate), lost, 3, "lost", f"{t.rate:g}: {_why(t.record)}"
            )
    for at, height, t in known:
        hint = f"rate {t.rate:g}: {y.shown(cost(t.score or 0.0))}"
        drawing.dot(at, height, 3, "tried", hint)
    _ring(drawing, entry, known)
    drawing.close()
    return Figure(drawing, entry.label, _table(drawing.title, noun, tried, entry))


def _ring(
    drawing: Drawing, entry: Entry, known: list[tuple[float, float, Tried]]
) -> None:
    index = entry.finals[0]["index"] if entry.finals else None
    for at, height, t in known:
        if t.record["index"] == index:
            drawing.dot(at, height, 6.5, "chosen")


def _why(record: Record) -> str:
    status = record["status"]
    return status if status in ("failed", "diverged", "pruned") else "not reached"


def _table(title: str, noun: str, tried: list[Tried], entry: Entry) -> Table:
    index = entry.finals[0]["index"] if entry.finals else None
    rows = []
    for t in tried:
        score = _why(t.record) if t.score is None else figure(t.score, 4)
        chosen = "yes" if t.record["index"] == index else ""
        rows.append((cell(t.rate, 4), Cell(score, t.score), Cell(chosen)))
    return Table(title, ("learning rate", noun, "chosen"), rows)
