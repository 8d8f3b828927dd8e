"""`optlab tune` and `optlab recommend`: the best setting for a problem or a model."""

from __future__ import annotations

import contextlib
import statistics
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_optlab.cli import options
from keras_optlab.cli.compare import folder_name
from keras_optlab.cli.console import code, heading, say
from keras_optlab.cli.loading import load
from keras_optlab.cli.noise import filtered
from keras_optlab.cli.pictures import say_where
from keras_optlab.cli.progress import Steps, interruptible, outcome


def tune(
    problem: options.Problem,
    optimizers: options.Optimizers,
    trials: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            min=1,
            help="Settings that are tried in all. E.g. --trials 30",
        ),
    ] = 60,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            show_default=False,
            help="End the search after this time too. E.g. --minutes 30",
        ),
    ] = None,
    seeds: options.Seeds = 5,
    epochs: options.Epochs = None,
    target: options.Target = None,
    objective: options.Objective = None,
    folder: options.Folder = None,
    engine: options.Engine = "processes",
    workers: options.Workers = None,
    address: options.Address = None,
    devices: options.Devices = 1,
    seed: options.Seed = 0,
    backend: options.Backend = None,
) -> None:
    """Search the best setting for a problem.

    Among one or several optimizers. Later trials are drawn where earlier ones were
    good, and bad ones are ended early. A search that was stopped goes on with the
    same command.

    Examples:
    optlab tune mnist-cnn --optimizers adamw,muon,soap --trials 60
    optlab tune my_problem.py --optimizers adamw --objective final --epochs 10
    """
    lab = load("lab")
    where = folder or Path("studies", f"{folder_name(problem)}-tuned")
    made = load("lab.engines").make_engine(engine, workers, address)
    with contextlib.closing(made), filtered(), interruptible(where) as progress:
        found = lab.tune(
            problem,
            options.separated(optimizers),
            trials=trials,
            minutes=minutes,
            seeds=seeds,
            epochs=epochs,
            target=target,
            objective=objective,
            folder=where,
            engine=made,
            devices=devices,
            seed=seed,
            progress=progress,
        )
    _show_tuned(found)


def _show_tuned(found: Any) -> None:
    """Print the best setting and what it reaches; write the report."""
    setting, facts = found.settings[found.best], found.study.config["problem_facts"]
    standing = found.judge().ranking[0]
    of_search = [r for r in found.study.records.values() if r["purpose"] == "search"]
    heading(f"The best of {len(of_search)} settings: {standing.label}")
    for name in found.objectives:
        what = facts["monitor"] if name == "final" else f"{name} to the target"
        say(f"{what}: {_median(found.scores(standing.label, name))}", indent=2)
    if setting.length < 1:
        say(f"trained for {setting.length:.0%} of the problem's epochs", indent=2)
    heading("To paste")
    code(found.code(standing.label))
    say_where(found.report(None), "Report")


def _median(scores: list[float | None]) -> str:
    """Return the median over fresh seeds in words; `None` is the worst score."""
    known = [score for score in scores if score is not None]
    if not known:
        return f"not reached by any of {len(scores)} fresh seeds"
    text = f"{statistics.median(known):.4g} (median of {len(known)} fresh seeds"
    missed = len(scores) - len(known)
    return f"{text}; {missed} more did not reach it)" if missed else f"{text})"


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
    """Recommend an optimizer for your model.

    With its rate, in a few minutes. Good optimizers at rates that a range test
    finds race against each other; the code to paste into your program is printed
    with the evidence.

    Examples:
    optlab recommend my_problem.py --budget 5min
    optlab recommend package.module:function --budget 90s
    """
    lab = load("lab")
    found = lab.problems.find(problem)
    seconds = Steps("seconds", every_line=True)

    def show(record: dict[str, Any], passed: float, budget: float) -> None:
        done, total = round(min(passed, budget)), round(budget)
        seconds.advance(done, total, outcome(record))

    seconds.say(f"Searching, for about {budget}.")
    with filtered(), seconds.shown():
        best = lab.recommend(
            found,
            None,
            budget=budget,
            batch_size=found.batch_size,
            epochs=found.epochs,
            seed=seed,
            progress=show,
        )
    heading(f"{best.label} for {found.name}")
    code(best.code)
    heading("Evidence")
    for line in str(best).removeprefix(best.code).strip().splitlines():
        say(line, indent=2)
