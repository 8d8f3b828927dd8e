"""What the command line prints on: with colours on a terminal, plain otherwise."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

NARROWEST = 16  # columns of a column with lines
WIDTH = 100  # columns where there is no terminal

out = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def prepare() -> None:
    """Give files and pipes a fixed width, and survive signs that they cannot have."""
    for console, stream in ((out, sys.stdout), (errors, sys.stderr)):
        if not console.is_terminal:
            console.width = WIDTH
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def is_plain() -> bool:
    """Return whether the output is no terminal, or colours are not wanted."""
    return not out.is_terminal or out.no_color


def is_narrow() -> bool:
    """Return whether boxes with three columns would leave no room for words."""
    return out.width < 80


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its heading.
        right: Whether its cells, numbers, end at the right.
        wraps: Whether long cells are broken into lines.
        rank: The columns with the highest rank are left out first where the terminal
            is too narrow; 0 always stays.
    """

    title: str
    right: bool = False
    wraps: bool = False
    rank: int = 0


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table, without its less important columns where there is no room."""
    most = max(column.rank for column in columns)
    while most and not _fits(_table(columns, rows, most)):
        most -= 1
    out.print(_table(columns, rows, most))
    left_out = [column.title for column in columns if column.rank > most]
    if left_out:
        note(f"A wider terminal also shows: {', '.join(left_out)}.")


def _fits(table: Table) -> bool:
    """Return whether no word is broken."""
    return table.__rich_measure__(out, out.options).minimum <= out.width


def _table(
    columns: Sequence[Column], rows: Sequence[Sequence[Any]], most: int
) -> Table:
    """Return the table with the columns up to a rank."""
    kept = [i for i, column in enumerate(columns) if column.rank <= most]
    table = Table(
        box=None if is_plain() else box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="bold",
        padding=(0, 2, 0, 0),
    )
    texts = [[c if isinstance(c, Text) else Text(str(c)) for c in row] for row in rows]
    for i in kept:
        column = columns[i]
        longest = max([len(column.title), *(row[i].cell_len for row in texts)])
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            overflow="fold",
            min_width=min(longest, NARROWEST) if column.wraps else longest,
        )
    for row in texts:
        table.add_row(*(row[i] for i in kept))
    return table


def heading(text: str) -> None:
    """Print the title of a part, after an empty line."""
    out.print()
    out.print(Text(text, style="bold"))


def say(text: Any = "", indent: int = 0, style: str = "") -> None:
    """Print a text in lines that fit; words are not broken where that is possible."""
    shown = text if isinstance(text, Text) else Text(str(text), style=style)
    out.print(Padding(shown, (0, 0, 0, indent), expand=False) if indent else shown)


def code(text: str, indent: int = 2) -> None:
    """Print code or a path to copy: as it is, however long its lines are."""
    for line in text.splitlines():
        shown = Text(" " * indent + line, style="cyan")
        out.print(shown, soft_wrap=True)


def note(text: str) -> None:
    """Print something of less importance."""
    out.print(Text(text, style="dim"))


def complain(text: str) -> None:
    """Print an error."""
    errors.print(f"[bold red]Error:[/] {escape(text)}")
