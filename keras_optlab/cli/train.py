"""`optlab train`: one training of a problem."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from keras_optlab.cli import names, options
from keras_optlab.cli.console import complain, heading, say
from keras_optlab.cli.loading import load
from keras_optlab.cli.progress import Steps, in_words

SCHEDULES = {"onecycle": "one_cycle", "cosine": "cosine", "constant": "constant"}


def train(
    problem: options.Problem,
    optimizer: options.Optimizer = "adamw",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            show_default=False,
            help="An argument of the optimizer; may be repeated. E.g. --set "
            "learning_rate=3e-3 --set weight_decay=0.02",
        ),
    ] = None,
    schedule: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How the rate changes, from learning_rate at its peak: onecycle, "
            "cosine or constant. E.g. --schedule onecycle",
        ),
    ] = "constant",
    epochs: options.Epochs = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=1,
            show_default=False,
            help="Rows in a batch, if not those of the problem. E.g. --batch-size 256",
        ),
    ] = None,
    stop_at_target: Annotated[
        bool,
        typer.Option(
            "--stop-at-target",
            help="End when the target is reached. E.g. --stop-at-target",
        ),
    ] = False,
    folder: options.Folder = None,
    devices: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=1,
            show_default=False,
            help="Devices of this process that share each batch; TensorFlow and JAX. "
            "E.g. --devices 2",
        ),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            show_default=False,
            help="Where process 0 listens, if several train together; JAX only. "
            "E.g. --coordinator 10.0.0.1:1234 --process 0 --processes 2",
        ),
    ] = None,
    process: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=0,
            show_default=False,
            help="Number of this process, from 0. E.g. --process 1",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=1,
            show_default=False,
            help="Number of processes. E.g. --processes 2",
        ),
    ] = None,
    seed: options.Seed = 0,
    backend: options.Backend = None,
) -> None:
    """Train a model of a problem once.

    It is evaluated on the test data.

    Examples:
    optlab train mnist-cnn --set learning_rate=3e-3 --schedule onecycle
    optlab train mnist-mlp --optimizer 'ema(lion)' --epochs 1 --stop-at-target
    optlab train mnist-mlp --optimizer sgd --devices 2 --backend jax
    """
    arguments = options.assignments(set_ or [])
    arguments.setdefault("schedule", names.match(schedule, SCHEDULES, "schedule"))
    given = {"epochs": epochs, "batch_size": batch_size}
    steps = Steps("updates")

    def progress(done: int, total: int, values: dict[str, float]) -> None:
        steps.advance(done, total, ", ".join(f"{k} {v:.4g}" for k, v in values.items()))

    lab = load("lab")
    run = load("lab.train").train
    changes = {k: v for k, v in given.items() if v is not None}
    found = lab.problems.find(problem)
    with steps.shown():
        record = run(
            problem,
            optimizer,
            arguments=arguments,
            changes=changes,
            seed=seed,
            stop_at_target=stop_at_target,
            folder=folder,
            progress=progress,
            devices=devices,
            coordinator=coordinator,
            process=process,
            processes=processes,
        )
    if load("lab.devices").is_first_process():
        _show(record, found.with_changes(**changes))
    if record["status"] == "failed":
        raise typer.Exit(1)


def _show(record: dict[str, Any], problem: Any) -> None:
    """Print what came of the training."""
    if record["status"] == "failed":
        complain(record["error"])
        return
    setting = load("lab").Setting(**record["setting"])
    value = record["value"]
    ended = "" if record["status"] != "diverged" else ": the loss was not finite"
    heading(f"{record['label']} on {problem.name}: {record['status']}{ended}")
    final = "-" if value is None else f"{value:.5g}"
    step = record["step_seconds"]
    lines = [(f"{problem.monitor} on the test data", final)]
    if problem.target is not None:
        aim = f"{problem.target.metric} {problem.target.value:g}"
        lines.append((f"target {aim}", _reached(record)))
    lines += [
        ("updates", f"{record['updates']:,}, {1000 * step:.2f} ms each"),
        ("training time", in_words(record["seconds"])),
        ("all in all", in_words(record["total_seconds"])),
        ("weights", f"{record['parameters']:,}"),
        ("optimizer's state", f"{record['optimizer_bytes'] / 1e6:.2f} MB"),
    ]
    for name, text in lines:
        say(f"{name}: {text}", indent=2)
    say(f"optimizer: {setting.code(max(1, math.ceil(record['updates'])))}", indent=2)


def _reached(record: dict[str, Any]) -> str:
    reached = record.get("reached")
    if not reached:
        return "not reached"
    return f"after {reached['updates']:,} updates, {in_words(reached['seconds'])}"
