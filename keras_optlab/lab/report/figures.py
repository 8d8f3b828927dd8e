"""What stands on a page: tables, and pictures with the same as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from keras_optlab.lab.report.drawing import Drawing
from keras_optlab.lab.report.number_text import figure


class Cell(NamedTuple):
    """A cell: its text, the number that rows are sorted by, and a small note."""

    text: str
    value: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row is its name."""

    caption: str
    head: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


@dataclass(frozen=True)
class Figure:
    """A picture, a short heading, and its numbers as a table."""

    drawing: Drawing
    caption: str
    table: Table


def cell(x: float | None, digits: int = 3) -> Cell:
    """Return a cell with a number."""
    return Cell(figure(x, digits), x)
