"""`optlab paths`: the ways of optimizers on a function of two numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keras_optlab.cli import options, pictures
from keras_optlab.cli.console import Column, errors, heading, note, out, show_table
from keras_optlab.cli.loading import load
from keras_optlab.cli.progress import Steps


def paths(
    problem: Annotated[
        str,
        typer.Argument(
            help="A function of two numbers: rosenbrock, beale, rastrigin, saddle, or "
            "your own problem with a surface. E.g. rosenbrock",
            show_default=False,
        ),
    ],
    optimizers: options.Optimizers = "sgd,momentum,adam,lion",
    updates: Annotated[
        int,
        typer.Option(
            metavar="NUMBER", min=1, help="Length of each way. E.g. --updates 500"
        ),
    ] = 200,
    rates: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            min=1,
            help="Learning rates that are tried for each; its best one is drawn. "
            "E.g. --rates 5",
        ),
    ] = 7,
    animation: Annotated[
        bool,
        typer.Option(
            "--animation/--no-animation",
            help="Whether to write an animation too, as a GIF. E.g. --no-animation",
        ),
    ] = True,
    output: options.Picture = None,
    backend: options.Backend = None,
) -> None:
    """Draw the ways of optimizers.

    Over the contours of a function of two numbers. Each has the best of several
    learning rates, so that the picture shows the rule and not its rate. One with
    its rate in brackets has that one.

    Examples:
    optlab paths rosenbrock --optimizers sgd,adam,muon
    optlab paths saddle --optimizers 'sgd(learning_rate=0.1),lion' --updates 100
    """
    if not pictures.have_matplotlib():
        raise ImportError(pictures.MISSING)
    walk = load("lab.paths").paths
    steps = Steps("trainings")
    with steps.shown():
        found = walk(
            problem,
            options.separated(optimizers),
            updates=updates,
            rates=rates,
            progress=steps.advance,
        )
    heading(found.conclusion)
    out.print()
    columns = [Column("optimizer"), Column("above the minimum", right=True)]
    columns += [Column("rate", right=True), Column("schedule", rank=1)]
    rows = []
    for path in found.found:
        rate = path.setting.arguments.get("learning_rate")
        figure = "default" if rate is None else f"{rate:g}"
        schedule = path.setting.schedule.replace("_", "-")
        rows.append([path.label, f"{path.end:.3g}", figure, schedule])
    show_table(columns, rows)
    note(f"Each at the best of up to {rates} rates.")
    file = output or Path(f"{found.problem.name}.png")
    pictures.write(found.plot(), file)
    if animation:
        with errors.status("Drawing the animation"):
            written = found.animate(file.with_suffix(".gif"))
        pictures.say_where(written, "Animation")
