"""`optlab tune` and `optlab recommend`: the best setting for a problem or a model."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from keras_optlab.cli import options
from keras_optlab.cli.compare import folder_name
from keras_optlab.cli.console import say
from keras_optlab.cli.loading import load
from keras_optlab.cli.progress import interruptible


def tune(
    problem: options.Problem,
    optimizers: options.Optimizers,
    trials: Annotated[
        int,
        typer.Option(
            metavar="NUMBER", min=1, help="Trainings in all. E.g. --trials 30"
        ),
    ] = 60,
    objective: options.Objective = None,
    epochs: options.Epochs = None,
    folder: options.Folder = None,
    engine: options.Engine = "processes",
    workers: options.Workers = None,
    address: options.Address = None,
    seed: options.Seed = 0,
    backend: options.Backend = None,
) -> None:
    """Search the best optimizer with its best setting for a problem.

    Later trials are drawn where earlier ones were good, and bad ones are ended early.
    A search that was stopped goes on with the same command.

    Examples:
    optlab tune mnist-cnn --optimizers adamw,muon,soap --trials 60
    optlab tune my_problem.py --optimizers adamw --objective final --epochs 10
    """
    lab = load("lab")
    where = folder or Path("studies", f"{folder_name(problem)}-tuned")
    made = load("lab.engines").make_engine(engine, workers, address)
    with contextlib.closing(made), interruptible(where) as progress:
        found = lab.tune(
            problem,
            options.separated(optimizers),
            trials=trials,
            objective=objective,
            epochs=epochs,
            folder=where,
            engine=made,
            seed=seed,
            progress=progress,
        )
    say()
    say(str(found))


def recommend(
    problem: options.Problem,
    budget: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="How long it may take: seconds, or a number with s, min or h. "
            "E.g. --budget 10min",
        ),
    ] = "5min",
    seed: options.Seed = 0,
    backend: options.Backend = None,
) -> None:
    """Recommend an optimizer and its rate for your model, in a few minutes.

    Good optimizers at rates that a range test finds race against each other; the code
    to paste into your program is printed with the evidence.

    Examples:
    optlab recommend my_problem.py --budget 5min
    optlab recommend package.module:function --budget 90s
    """
    lab = load("lab")
    say()
    say(str(lab.recommend(problem, budget=budget, seed=seed)))
