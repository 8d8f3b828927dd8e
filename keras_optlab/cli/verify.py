"""`optlab verify`: optimizers against their papers and other libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keras_optlab.cli.loading import load


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
    """Compare optimizers with their papers and with other libraries, step by step.

    The table has the largest difference of the weights after 60 updates. The exit code
    is 1 if one is too large.

    Examples:
    optlab verify adam lion --backend jax
    optlab verify
    """
    arguments = list(optimizers or [])
    arguments += ["--backend", backend] if backend else []
    arguments += ["--markdown", str(markdown)] if markdown else []
    raise typer.Exit(load("verify.command").main(arguments))
