"""`optlab diagnose`: what is wrong with a training that TensorBoard recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from keras_optlab.cli.console import code, heading, note, out, say
from keras_optlab.cli.loading import load, without_computing

COLOURS = {"error": "bold red", "warning": "bold yellow", "info": "bold"}


def diagnose(
    logdir: Annotated[
        Path,
        typer.Argument(
            metavar="LOGDIR",
            help="The log_dir of a kol.callbacks.TensorBoard. E.g. runs/mnist",
            show_default=False,
        ),
    ],
) -> None:
    """Say what is wrong with a training.

    From the log that it left: that of `kol.callbacks.TensorBoard(log_dir)` in the
    training's `fit`.

    Examples:
    optlab diagnose runs/mnist
    """
    without_computing()
    found = load("diagnosis").diagnose(logdir)
    for finding in found:
        heading(f"{finding.rule}")
        line = Text(finding.severity, style=COLOURS[finding.severity])
        say(line.append(f": {finding.sentence}", style="not bold default"), indent=2)
        say("Try:", indent=2)
        code(finding.code, indent=4)
    fine = [rule for rule in found.judged if rule not in found.rules]
    out.print()
    if not found:
        say("Nothing was found." if fine else "No rule could judge.")
    if fine:
        say(f"Fine: {', '.join(fine)}.")
    reasons: dict[str, list[str]] = {}
    for rule, why in found.not_judged.items():
        reasons.setdefault(why, []).append(rule)
    for why, rules in reasons.items():
        note(f"Not judged, since {why}: {', '.join(rules)}.")
