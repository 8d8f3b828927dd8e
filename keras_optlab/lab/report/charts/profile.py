"""Performance profiles."""

from __future__ import annotations

import math

from keras_optlab.lab.report.drawing import WIDTH, Drawing
from keras_optlab.lab.report.figures import Cell, Figure, Table, cell
from keras_optlab.lab.report.material import Material
from keras_optlab.lab.report.scales import Scale
from keras_optlab.lab.statistics import PerformanceProfile, performance_profiles

LEFT, RIGHT, TOP, BOTTOM = 46, WIDTH - 10, 8, 166
WIDEST = 32.0  # factor of the best up to which the axis goes


def profile(material: Material, objective: str) -> Figure | None:
    """Return the profiles; `None` for fewer than two optimizers or seeds.

    A seed stands for a problem: all optimizers begin it with the same weights and see
    the same batches.
    """
    costs = _costs(material, objective)
    if len(costs) < 2:
        return None
    profiles = performance_profiles(costs)
    largest = max(r for p in profiles for r in p.ratios)
    up_to = min(max(1.05 * largest, 1.5), WIDEST)
    x = Scale(1.0, up_to, LEFT, RIGHT, log=True)
    y = Scale(0.0, 1.0, BOTTOM, TOP, shown="{:.0%}".format)
    noun = material.noun(objective)
    drawing = Drawing(
        f"profile-{objective}",
        f"Performance profiles by {noun}",
        "For each optimizer the share of seeds on which it is within a factor of the "
        "best one. Higher is better. The table below has the numbers.",
        BOTTOM + 36,
    )
    what = "error" if objective == "final" and material.is_accuracy else noun
    drawing.columns(x, TOP, BOTTOM, f"times the best {what} of the seed")
    drawing.rows(y, LEFT, RIGHT)
    entries = {entry.label: entry for entry in material.entries}
    for found in reversed(profiles):
        entry = entries[found.label]
        drawing.open(f"curve {entry.kind}", entry.number, found.label)
        drawing.line([(x.at(r), y.at(s)) for r, s in _steps(found, up_to)], "line")
        drawing.close()
    return Figure(drawing, f"By {noun}", _table(drawing.title, profiles, up_to))


def _costs(material: Material, objective: str) -> dict[str, dict[str, float | None]]:
    """Return costs > 0 by optimizer and seed, of the seeds that all have run."""
    cost = material.cost(objective)
    seeds: dict[str, dict[str, float | None]] = {}
    for entry in material.entries:
        if entry.finals:
            scores = material.comparison.scores(entry.label, objective)
            rows = zip(entry.finals, scores, strict=True)
            seeds[entry.label] = {
                str(r["seed"]): None if s is None else cost(s) for r, s in rows
            }
    common = set.intersection(*(set(s) for s in seeds.values())) if seeds else set()
    kept = {k: {p: v[p] for p in sorted(common)} for k, v in seeds.items()}
    known = [c for v in kept.values() for c in v.values() if c is not None]
    if len(common) < 2 or not known or min(known) <= 0:
        return {}
    return kept


def _steps(found: PerformanceProfile, up_to: float) -> list[tuple[float, float]]:
    points, share = [(1.0, 0.0)], 0.0
    for ratio, rises in zip(found.ratios, found.shares, strict=True):
        if ratio <= up_to:
            points += [(ratio, share), (ratio, rises)]
            share = rises
    return [*points, (up_to, share)]


def _table(title: str, profiles: tuple[PerformanceProfile, ...], up_to: float) -> Table:
    factors = [f for f in (1.0, 1.1, 1.25, 1.5, 2.0, 4.0, 8.0, 16.0) if f <= up_to]
    rows = []
    for found in profiles:
        shares = [Cell(f"{found.at(f):.0%}", found.at(f)) for f in factors]
        area = found.area(up_to) if math.isfinite(up_to) else None
        rows.append((Cell(found.label), *shares, cell(area)))
    head = ("optimizer", *(f"within {f:g} times" for f in factors), "mean")
    return Table(title, head, rows)
