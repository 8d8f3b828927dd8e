"""Curves of the final runs: the median over seeds, within the band of all."""

from __future__ import annotations

import math
from dataclasses import dataclass

from keras_optlab.lab.report.drawing import WIDTH, Drawing
from keras_optlab.lab.report.figures import Cell, Figure, Table, cell
from keras_optlab.lab.report.material import COLOURED, Entry, Material, Record
from keras_optlab.lab.report.number_text import capital, figure, median
from keras_optlab.lab.report.scales import Scale, scale_of

LEFT, RIGHT, TOP, BOTTOM = 46, WIDTH - 16, 8, 196
APART = 10  # between the numbers at the ends of lines
SPREAD = 4  # ratio of lengths from which a logarithmic axis shows the short ones
MOST_COLUMNS = 8  # of the table


@dataclass(frozen=True)
class Curve:
    """Numbers over updates or seconds: `(x, median, lowest, highest)` of the seeds."""

    entry: Entry
    points: list[tuple[float, float, float, float]]


def curves(material: Material, along: str, metric: str) -> Figure | None:
    """Return the curves of a metric; `None` if there are none.

    Args:
        material: The study.
        along: `"updates"` or `"seconds"`.
        metric: Its name in the records.
    """
    found = [_curve(entry, along, metric, material) for entry in material.entries]
    found = [curve for curve in found if curve.points]
    if not found:
        return None
    is_error = _is_accuracy(material, metric)
    x, y = _scales(found, is_error)
    drawing = Drawing(
        f"curve-{along}-{metric}",
        f"{capital(_name(metric))} over {along}",
        "A line for the median of the seeds of each optimizer, with a band from the "
        f"worst to the best seed for the first {COLOURED}. The number at the end of a "
        "line is that of the optimizer. The table below has the numbers.",
        BOTTOM + 36,
    )
    drawing.columns(x, TOP, BOTTOM, along)
    drawing.rows(y, LEFT, RIGHT)
    _draw_target(drawing, material, metric, y, is_error)
    for curve in reversed(found):
        _draw(drawing, curve, x, y)
    _number(drawing, found, x, y)
    return Figure(drawing, drawing.title, _table(drawing.title, found, is_error, along))


def _name(metric: str) -> str:
    return "training loss" if metric == "train_loss" else metric


def _is_accuracy(material: Material, metric: str) -> bool:
    target = material.facts["target"] or {}
    modes = {target.get("metric"): target.get("mode")}
    modes[material.facts["monitor"]] = material.facts["mode"]
    return modes.get(metric) == "max"


def _curve(entry: Entry, along: str, metric: str, material: Material) -> Curve:
    """Return the curve of an optimizer: values of the same update together."""
    sign = _is_accuracy(material, metric)
    of_update: dict[float, list[tuple[float, float]]] = {}
    for record in entry.finals:
        for update, x, value in _points(record, along, metric):
            of_update.setdefault(update, []).append((x, 1 - value if sign else value))
    points = []
    for _, found in sorted(of_update.items()):
        values = [v for _, v in found]
        middle = median(values) or 0.0
        place = median([x for x, _ in found]) or 0.0
        points.append((place, middle, min(values), max(values)))
    return Curve(entry, points)


def _points(
    record: Record, along: str, metric: str
) -> list[tuple[float, float, float]]:
    curve = record.get("curve") or {}
    columns = [curve.get(k, []) for k in ("updates", along, metric)]
    rows = zip(*columns, strict=False)
    return [row for row in rows if all(v is not None and math.isfinite(v) for v in row)]


def _scales(found: list[Curve], is_error: bool) -> tuple[Scale, Scale]:
    ends = [curve.points[-1][0] for curve in found]
    starts = [x for curve in found for x, *_ in curve.points if x > 0]
    log = max(ends) > SPREAD * min(ends) > 0
    x = Scale(min(starts) if log else 0.0, max(*ends, 1e-9), LEFT, RIGHT, log)
    if x.low >= x.high:  # a single evaluation
        x = Scale(0.0, x.high, LEFT, RIGHT)
    best = [v for c in found[:COLOURED] for p in c.points for v in p[1:]]
    best.sort()
    highest = best[math.ceil(0.97 * len(best)) - 1]  # a few that explode hide no others
    shown = (lambda error: figure(1 - error, 4)) if is_error else figure
    lowest = [v for c in found for p in c.points for v in p[1:] if v <= highest]
    values = [min(lowest), highest]
    start, end = (TOP, BOTTOM) if is_error else (BOTTOM, TOP)  # small errors are high
    return x, scale_of(values, start, end, log=min(values) > 0, shown=shown)


def _draw_target(
    drawing: Drawing, material: Material, metric: str, y: Scale, is_error: bool
) -> None:
    target = material.facts["target"]
    if target is None or target["metric"] != metric:
        return
    value = 1 - target["value"] if is_error else target["value"]
    if y.low < value < y.high:
        at = y.at(value)
        drawing.line([(LEFT, at), (RIGHT, at)], "target")
        below = 11 if is_error else -4  # on the side where curves do not end
        drawing.text(RIGHT, at + below, f"target {target['value']:g}", "end soft")


def _draw(drawing: Drawing, curve: Curve, x: Scale, y: Scale) -> None:
    entry = curve.entry
    rows = [(x.at(at), *(y.at(v) for v in values)) for at, *values in curve.points]
    drawing.open(f"curve {entry.kind}", entry.number, entry.label)
    if entry.number < COLOURED and len(rows) > 1 and len(entry.finals) > 1:
        upper = [(at, high) for at, _, _, high in rows]
        lower = [(at, low) for at, _, low, _ in rows]
        drawing.area([*upper, *reversed(lower)], "band")
    drawing.line([(at, middle) for at, middle, _, _ in rows], "line")
    if len(rows) == 1:
        drawing.dot(rows[0][0], rows[0][1], 2.6, "run")
    drawing.close()


def _number(drawing: Drawing, found: list[Curve], x: Scale, y: Scale) -> None:
    """Write the numbers of the best at the ends of their lines, not on each other."""
    ends = []
    for curve in found:
        if curve.entry.number < COLOURED:
            at, value, *_ = curve.points[-1]
            ends.append([y.at(value), x.at(at), curve.entry])
    ends.sort(key=lambda end: end[0])
    for above, end in zip(ends, ends[1:], strict=False):
        if abs(end[1] - above[1]) < 12:
            end[0] = max(end[0], above[0] + APART)
    for at_y, at_x, entry in ends:
        drawing.open(f"curve {entry.kind}", entry.number)
        drawing.text(at_x + 4, at_y + 4, str(entry.number + 1), "place")
        drawing.close()


def _table(title: str, found: list[Curve], is_error: bool, along: str) -> Table:
    """Return the medians at a few places."""
    longest = max((curve.points for curve in found), key=lambda p: p[-1][0])
    step = max(1, math.ceil(len(longest) / MOST_COLUMNS))
    places = [x for x, *_ in longest[::-1][::step][::-1]]
    rows = []
    for curve in found:
        cells = []
        for place in places:
            before = [p for p in curve.points if p[0] <= place * (1 + 1e-9)]
            ended = place > 1.02 * curve.points[-1][0]
            value = before[-1][1] if before and not ended else None
            if value is not None and is_error:
                value = 1 - value
            cells.append(cell(value, 4))
        rows.append((Cell(curve.entry.label), *cells))
    head = ("optimizer", *(f"{figure(p)} {along}" for p in places))
    return Table(f"{title}, median of the seeds", head, rows)
