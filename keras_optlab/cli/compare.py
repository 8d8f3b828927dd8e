"""`optlab compare` and `optlab report`: studies of several optimizers."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_optlab.cli import options
from keras_optlab.cli.console import Column, code, heading, note, out, say, show_table
from keras_optlab.cli.loading import load, without_computing
from keras_optlab.cli.noise import filtered
from keras_optlab.cli.pictures import say_where
from keras_optlab.cli.progress import interruptible

MOST_VERDICTS = 8  # that are printed; the report has all


def compare(
    problem: options.Problem,
    optimizers: options.Optimizers,
    trials: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            min=1,
            help="Settings that are tried for each optimizer. E.g. --trials 6",
        ),
    ] = 12,
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
    """Compare optimizers, each tuned alike.

    Each has the same number of trials on the problem. Settings are chosen on
    validation data; the chosen ones are trained with fresh seeds and compared on
    test data. A study that was stopped goes on with the same command.

    Examples:
    optlab compare mnist-mlp --optimizers sgd,adam,adamw,lion,muon --trials 12 --seeds 3
    optlab compare my_problem.py --optimizers 'adam(beta_1=0.8),adam' --objective final
    optlab compare quadratic-100 --optimizers adam,muon --epochs 0.5 --folder studies/a
    """
    lab = load("lab")
    where = folder or Path("studies", folder_name(problem))
    made = load("lab.engines").make_engine(engine, workers, address)
    with contextlib.closing(made), filtered(), interruptible(where) as progress:
        result = lab.compare(
            problem,
            options.separated(optimizers),
            trials=trials,
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
    show_comparison(result)


def folder_name(problem: str) -> str:
    """Return the name of a study's folder for a problem.

    >>> folder_name("mnist-mlp"), folder_name("problems/mine.py:small")
    ('mnist-mlp', 'mine-small')
    """
    name = re.sub(r"\.py\b", "", problem).replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[^\w.-]+", "-", name)


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="The folder of a study, or of several. E.g. studies/mnist-mlp",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Where to write it; by default report.html in the folder. "
            "E.g. --output muon.html",
        ),
    ] = None,
) -> None:
    """Show what a study found, or several.

    A study of `optlab compare`, also one that is not finished. Its report is
    written anew. Several studies of different problems: the medians of the
    optimizers that all of them have, and how near each is to the best one.

    Examples:
    optlab report studies/mnist-mlp
    optlab report studies/mnist-mlp --output muon.html
    optlab report studies/mnist-mlp studies/diamonds-mlp
    """
    without_computing()
    lab = load("lab")
    if len(folders) == 1:
        show_comparison(lab.Comparison(folders[0]), output)
        return
    if output is not None:
        raise typer.BadParameter(
            f"a report is of one study. Received: {len(folders)} folders.",
            param_hint="--output",
        )
    (first, *names), *rows = lab.Overview(folders).rows()
    columns = [Column(first, wraps=True)]
    columns += [Column(name, right=True, rank=int("within" in name)) for name in names]
    show_table(columns, rows)


def show_comparison(result: Any, output: Path | None = None) -> None:
    """Print who won, the ranking, verdicts and the best setting; write the report."""
    judgement = result.judge()
    heading(judgement.headline)
    out.print()
    show_table(*_ranking(result))
    shown = judgement.pairs[:MOST_VERDICTS]
    if shown:
        heading("Verdicts")
        for pair in shown:
            say(pair.sentence, indent=2)
        if len(judgement.pairs) > len(shown):
            note(f"  The report has all {len(judgement.pairs)}.")
    best = judgement.ranking[0].label
    heading(f"Setting of {best}")
    code(result.code(best))
    if judgement.notes or not result.is_finished:
        heading("Limits")
        for line in (*judgement.notes, *_unfinished(result)):
            say(line, indent=2)
    say_where(result.report(output), "Report")


def _ranking(result: Any) -> tuple[list[Column], list[list[str]]]:
    """Return the columns and rows of the ranking."""
    facts = result.study.config["problem_facts"]
    target, monitor = facts["target"], facts["monitor"]
    names = {"updates": "updates", "seconds": "seconds", "final": monitor}
    order = [result.objective, *(k for k in result.objectives if k != result.objective)]
    columns = [Column("", right=True), Column("optimizer", wraps=True)]
    for rank, name in enumerate(order):
        columns.append(Column(names[name], right=True, rank=rank and 1))
        if not rank:
            columns.append(Column("interval", right=True, rank=2))
    columns += [Column("reached", rank=2)] if target else []
    columns += [Column("ms/update", right=True, rank=3)]
    columns += [Column("MB", right=True, rank=4)]
    rows = []
    for row in result.table().to_dict("records"):
        cells = [str(row["place"]), row["optimizer"]]
        for rank, name in enumerate(order):
            cells.append(_figure(row[name], name))
            if not rank:
                ends = (
                    _figure(row[f"{name}_low"], name),
                    _figure(row[f"{name}_high"], name),
                )
                cells.append("-" if "-" in ends else " to ".join(ends))
        cells += [f"{row['reached']} of {row['seeds']}"] if target else []
        cells += [f"{row['step_ms']:.2f}", f"{row['optimizer_mb']:.1f}"]
        rows.append(cells)
    return columns, rows


def _figure(value: Any, name: str) -> str:
    if value is None or value != value:  # NaN of pandas
        return "-"
    return f"{value:,.0f}" if name == "updates" else f"{value:.4g}"


def _unfinished(result: Any) -> list[str]:
    if result.is_finished:
        return []
    failed = [r for r in result.study.records.values() if r["status"] == "failed"]
    lines = ["Some trials have no result; the same comparison runs them."]
    reasons = sorted({r["error"].partition("\n")[0] for r in failed})
    return lines + [f"Failed: {reason}" for reason in reasons[:3]]
