"""`optlab verify`: optimizers against their papers and other libraries."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from keras_optlab.cli.console import Column, errors, heading, show_table
from keras_optlab.cli.loading import BACKENDS, load, without_computing


def verify(
    optimizers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME...]",
            show_default=False,
            help="Optimizers to compare; by default all. E.g. adam lion",
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            show_default=False,
            help="Some of tensorflow,jax,torch; by default all that are installed. "
            "E.g. --backend jax,torch",
        ),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="A page in Markdown to write too. E.g. --markdown verify.md",
        ),
    ] = None,
) -> None:
    """Compare optimizers with their papers.

    And with other libraries, step by step. The table has the largest difference of
    the weights after 60 updates. The exit code is 1 if one is too large.

    Examples:
    optlab verify adam lion --backend jax
    optlab verify
    """
    wanted = _backends(backend)
    without_computing()
    info = load("optimizers").info
    names = [info(name).name for name in optimizers or []]
    command = load("verify.command")
    with errors.status(f"Comparing on {', '.join(wanted)}"):
        rows = command.collect(names, wanted)
    for title, part in command.parts(rows):
        heading(title)
        _show(part)
    if markdown is not None:
        markdown.write_text(command.page(rows))
    bad = sum(not row.ok for row in rows)
    heading(f"{len(rows)} comparisons, {bad or 'none'} not as expected")
    raise typer.Exit(int(bad > 0))


def _backends(given: str | None) -> list[str]:
    """Return the backends that were given, or all that are installed."""
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    wanted = installed if given is None else given.split(",")
    for name in wanted:
        if name not in installed:
            raise ValueError(
                f"expected some of the installed backends, {','.join(installed)}. "
                f"Received: --backend {given}"
            )
    return wanted


def _show(part: list[Any]) -> None:
    """Print a table of comparisons of one kind."""
    agree = hasattr(part[0], "difference")
    columns = [Column("optimizer"), Column("against", wraps=True)]
    columns += [Column("backend", rank=1), Column("settings", wraps=True, rank=2)]
    columns += [Column("difference", right=True)]
    columns += [Column("at most", right=True, rank=3)] if agree else []
    columns += [] if agree else [Column("what differs", wraps=True)]
    rows = []
    for row in part:
        against = row.oracle if row.oracle != "paper" else "its paper"
        cells: list[Any] = [row.optimizer, against, row.backend, row.settings or "-"]
        figure = f"{row.difference if agree else row.theirs:.0e}"
        cells.append(
            Text(figure if row.ok else f"{figure} NO", "" if row.ok else "red")
        )
        cells.append(f"{row.tolerance:.0e}" if agree else row.what)
        rows.append(cells)
    show_table(columns, rows)
