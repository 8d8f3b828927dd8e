"""Every final run as a dot, with the mean and its interval."""

from __future__ import annotations

from collections.abc import Callable

from keras_optlab.lab.report.drawing import WIDTH, Drawing, shortened
from keras_optlab.lab.report.figures import Cell, Figure, Table, cell
from keras_optlab.lab.report.material import Entry, Material
from keras_optlab.lab.report.number_text import capital, counted
from keras_optlab.lab.report.scales import Scale, scale_of
from keras_optlab.lab.statistics import Standing

LEFT, TOP, ROW = 106, 8, 22


def runs(material: Material, objective: str) -> Figure | None:
    """Return the chart of an objective; `None` if no run has a score."""
    judgement = material.judgements.get(objective)
    if judgement is None:
        return None
    cost = material.cost(objective)
    scores = {s.label: _known(material, s.label, objective) for s in judgement.ranking}
    values = [cost(v) for of_one in scores.values() for v in of_one]
    if not values:
        return None
    # Intervals may be far longer than the runs are apart: they are cut.
    low, high = min(values), max(values)
    room = max(high - low, 0.5 * abs(high))
    for s in judgement.ranking:
        ends = [e for e in (s.low, s.high) if e is not None and scores[s.label]]
        values += [min(max(cost(e), low - 0.3 * room), high + room) for e in ends]
    better = "right" if objective == "final" and material.is_accuracy else "left"
    ends = (WIDTH - 8, LEFT) if better == "right" else (LEFT, WIDTH - 8)
    log = all(v > 0 for v in values)
    scale = scale_of(values, *ends, log=log, shown=material.shown(objective))
    bottom = TOP + ROW * len(judgement.ranking)
    noun = material.noun(objective)
    title = capital(noun)
    drawing = Drawing(
        f"runs-{objective}",
        title,
        "A dot for each run, an upright line for the mean, a level line for its "
        f"interval, in the order of the means. The {better} is better. The table below "
        "has the numbers.",
        bottom + 36,
    )
    drawing.columns(scale, TOP, bottom, f"{noun} (better: {better})")
    entries = {entry.label: entry for entry in material.entries}
    for row, standing in enumerate(judgement.ranking):
        y = TOP + ROW * (row + 0.5)
        known = scores[standing.label]
        points = [(v, scale.at(cost(v))) for v in known]
        _draw(drawing, entries[standing.label], standing, points, scale, cost, y)
    return Figure(
        drawing, title, _table(material, title, judgement.ranking, scores, objective)
    )


def _draw(
    drawing: Drawing,
    entry: Entry,
    standing: Standing,
    points: list[tuple[float, float]],
    scale: Scale,
    cost: Callable[[float], float],
    y: float,
) -> None:
    drawing.open(entry.kind, hint=entry.label)
    drawing.text(LEFT - 6, y + 4, shortened(entry.label, LEFT - 8), "end")
    if not points:
        lost = "no value" if drawing.name == "runs-final" else "not reached"
        drawing.text(
            LEFT + 6, y + 4, f"{lost} in {counted(standing.runs, 'run')}", "soft"
        )
    elif standing.low is not None and standing.high is not None:
        ends = [(scale.at(cost(e)), y) for e in (standing.low, standing.high)]
        drawing.line(ends, "interval")
    for score, x in points:
        drawing.dot(x, y, 2.6, "run", f"{score:.4g}")
    if points and standing.mean is not None:
        x = scale.at(cost(standing.mean))
        drawing.line([(x, y - 7), (x, y + 7)], "mean")
    if points and standing.failed:
        drawing.cross(WIDTH - 8, y, 3, "lost", f"{standing.failed} of {standing.runs}")
    drawing.close()


def _known(material: Material, label: str, objective: str) -> list[float]:
    scores = material.comparison.scores(label, objective)
    return [s for s in scores if s is not None]


def _table(
    material: Material,
    title: str,
    ranking: tuple[Standing, ...],
    scores: dict[str, list[float]],
    objective: str,
) -> Table:
    rows = []
    for s in ranking:
        each = ", ".join(material.text(objective, v) for v in scores[s.label])
        numbers = (
            Cell(material.text(objective, x), x) for x in (s.mean, s.low, s.high)
        )
        rows.append((Cell(s.label), *numbers, Cell(each or "-"), cell(s.failed)))
    head = ("optimizer", "mean", "low", "high", "runs", "without a result")
    return Table(title, head, rows)
