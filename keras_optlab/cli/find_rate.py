"""`optlab find-rate`: the range of learning rates for an optimizer on a problem."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from keras_optlab.cli import options, pictures
from keras_optlab.cli.charts import show_chart
from keras_optlab.cli.console import (
    Column,
    code,
    errors,
    heading,
    note,
    out,
    say,
    show_table,
)
from keras_optlab.cli.loading import load


def find_rate(
    problem: options.Problem,
    optimizer: options.Optimizer = "adamw",
    steps: Annotated[
        int,
        typer.Option(
            metavar="NUMBER", min=20, help="Updates of a run. E.g. --steps 200"
        ),
    ] = 100,
    runs: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            min=1,
            help="Runs, each with another order of the batches. E.g. --runs 5",
        ),
    ] = 3,
    seed: options.Seed = 0,
    output: options.Picture = None,
    backend: options.Backend = None,
) -> None:
    """Find a range of learning rates.

    By a range test: the rate rises from update to update; where the loss falls,
    rates are good.

    Examples:
    optlab find-rate mnist-cnn --optimizer lion
    optlab find-rate my_problem.py --optimizer 'sgd(momentum=0.9)' --runs 5
    """
    lab = load("lab")
    candidate = lab.Candidate.parse(optimizer)
    found = lab.problems.find(problem)
    with errors.status(f"{runs} runs of {steps} updates on {found.name}"):
        result = _search(found, candidate, steps=steps, runs=runs, seed=seed)
    heading(f"{candidate.label} on {found.name}")
    _show_suggestions(result)
    curve = result.curve
    finite = np.isfinite(curve.losses)
    shown = curve.values[finite].tolist(), curve.losses[finite].tolist()
    show_chart({"loss": shown}, "loss after the update, by rate", logarithmic=True)
    if result.found:
        heading("Try")
        rate = f"--set learning_rate={result.suggestion():.2g}"
        code(f"optlab train {problem} --optimizer {_quoted(optimizer)} {rate}")
    path = output or Path(f"rate-{found.name}-{candidate.optimizer}.png")
    if pictures.have_matplotlib():
        pictures.write(result.plot(), path)
    elif output is not None:
        raise ImportError(pictures.MISSING)
    else:
        note(pictures.MISSING)


def _show_suggestions(result: Any) -> None:
    """Print the range and the rates in it, or why there is none."""
    if not result.found:
        say(f"No range was found: {result.reason}.")
        return
    say(
        f"Good rates: {result.low:.2g} to {result.high:.2g} "
        f"(agreement of the {len(result.losses)} runs: {result.confidence:.0%})"
    )
    out.print()
    columns = [Column("rate", right=True), Column("rule"), Column("", wraps=True)]
    suggested = result.suggestion()
    rows = [
        [f"{value:.2g}", rule, result.explained(rule)]
        for rule, value in sorted(
            result.suggestions.items(), key=lambda item: item[1] != suggested
        )
    ]
    show_table(columns, rows)


def _quoted(text: str) -> str:
    return f"'{text}'" if "(" in text else text


def _search(problem: Any, candidate: Any, **how: int) -> Any:
    """Return the result of a range test on the training data."""
    import keras

    finders = load("finders")
    keras.utils.set_random_seed(how["seed"])
    model = problem.model()
    problem.compile(model, candidate.setting({}).build(problem.updates))
    x, y = load("lab.problems.problem").x_and_y(problem.splits.train)
    size = None if y is None else problem.batch_size
    return finders.find_rate(model, x, y, batch_size=size, **how)
