"""Bars: a number for each optimizer."""

from __future__ import annotations

from collections.abc import Callable

from keras_optlab.lab.report.drawing import LETTER, WIDTH, Drawing, shortened
from keras_optlab.lab.report.figures import Cell, Figure, Table
from keras_optlab.lab.report.material import Entry, Material

LEFT, TOP, ROW = 106, 4, 22


def bars(
    material: Material,
    name: str,
    title: str,
    value: Callable[[Entry], float | None],
    shown: Callable[[float], str],
) -> Figure | None:
    """Return bars in the order of the ranking; `None` if nothing was measured.

    Args:
        material: The study.
        name: What tells the chart from others.
        title: What it shows.
        value: Returns the number of an optimizer, >= 0.
        shown: Returns a number as text.
    """
    found = [(entry, value(entry)) for entry in material.entries]
    known = [(entry, v) for entry, v in found if v is not None]
    if not known:
        return None
    texts = {entry.number: shown(v) for entry, v in known}
    room = max(LETTER * len(text) for text in texts.values()) + 8
    most = max(v for _, v in known) or 1.0
    drawing = Drawing(
        name,
        title,
        "A bar for each optimizer, in the order of the ranking. Shorter is better. The "
        "table below has the numbers.",
        TOP + ROW * len(known) + 4,
    )
    for row, (entry, v) in enumerate(known):
        y = TOP + ROW * row
        width = v / most * (WIDTH - LEFT - room)
        drawing.open(entry.kind, hint=entry.label)
        drawing.text(LEFT - 6, y + 15, shortened(entry.label, LEFT - 8), "end")
        drawing.box(LEFT, y + 4, width, ROW - 8, "bar")
        drawing.text(LEFT + width + 5, y + 15, texts[entry.number])
        drawing.close()
    rows = [(Cell(e.label), Cell(texts[e.number], v)) for e, v in known]
    return Figure(drawing, title, Table(title, ("optimizer", title), rows))
