"""`optlab plot`: the picture of schedules."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_optlab.cli import names, options, pictures
from keras_optlab.cli.charts import show_chart
from keras_optlab.cli.console import note
from keras_optlab.cli.loading import without_computing

POINTS = 400  # of a curve in the terminal
# What stands for arguments that must be given, to draw a schedule by its name alone.
USUAL = {
    "peak": 1e-3,
    "initial": 1e-3,
    "value": 1e-3,
    "levels": [1e-3, 1e-4, 1e-5],
    "boundaries": [0.5, 0.8],
}
USUAL_OF = {
    "Cyclical": {"initial": 1e-4, "steps": 250},
    "CosineRestarts": {"steps": 150},
    "Exponential": {"steps": 500},
    "InverseSqrt": {"steps": 100},
    "InverseTime": {"steps": 250},
}


def plot(
    schedules: Annotated[
        list[str],
        typer.Argument(
            metavar="SCHEDULE...",
            show_default=False,
            help="Names of `optlab list schedules`, or calls. "
            "E.g. onecycle, 'warmup(cosine(1e-3), steps=0.1)'",
        ),
    ],
    steps: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            min=2,
            help="Updates of the training. E.g. --steps 4690",
        ),
    ] = 1000,
    output: options.Picture = None,
) -> None:
    """Draw schedules.

    In the terminal, and as a picture. What a name alone leaves open has usual
    values: a peak of 1e-3, the whole training.

    Examples:
    optlab plot onecycle
    optlab plot cosine rex 'polynomial(1e-3, power=0.5)'
    optlab plot 'warmup(cosine(3e-3), steps=100)' --output warmup.png
    """
    without_computing()
    known = names.schedules()
    made = [read_schedule(text, known) for text in schedules]
    labels = [_label(text) for text in schedules]
    values = [schedule.values(steps) for schedule in made]
    every = max(1, steps // POINTS)
    curves = {
        label: (list(range(0, steps, every)), ys[::every].tolist())
        for label, ys in zip(labels, values, strict=True)
    }
    show_chart(curves, f"{', '.join(labels)}: value at each of {steps:,} updates")
    for schedule in made:
        note(repr(schedule))
    path = output or Path(f"{names.plainly(schedules[0].partition('(')[0])}.png")
    if not pictures.have_matplotlib():
        if output is not None:
            raise ImportError(pictures.MISSING)
        note(pictures.MISSING)
        return
    axes: Any = None
    for schedule in made:
        axes = schedule.plot(steps, ax=axes)
    axes.legend(fontsize="small")
    pictures.write(axes, path)


def _label(text: str) -> str:
    return " ".join(text.split())


def read_schedule(text: str, known: dict[str, Any]) -> Any:
    """Return the schedule for a name, or for a call with schedules and numbers in it.

    Raises:
        ValueError: if it cannot be read, or there is no such schedule.
        TypeError: if an argument is missing.
    """
    try:
        if "(" not in text:
            return _by_name(text, known)
        return _made(ast.parse(text.strip(), mode="eval").body, known)
    except SyntaxError as error:
        raise ValueError(
            "expected a schedule like onecycle or 'cosine(1e-3, steps=500)'. "
            f"Received: {text!r}"
        ) from error


def _by_name(name: str, known: dict[str, Any]) -> Any:
    cls = names.match(name, known, "schedule")
    return cls(**_usual(cls, known))


def _made(node: ast.expr, known: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return _by_name(node.id, known)
    if isinstance(node, ast.Call):
        cls = names.match(ast.unparse(node.func), known, "schedule")
        keywords = {k.arg or "": _made(k.value, known) for k in node.keywords}
        return cls(*(_made(a, known) for a in node.args), **keywords)
    if isinstance(node, ast.List | ast.Tuple):
        return [_made(element, known) for element in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(
            "expected a schedule, a number or a list of them. "
            f"Received: {ast.unparse(node)}"
        ) from None


def _usual(cls: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Return values of the arguments that must be given."""
    found = dict(USUAL_OF.get(cls.__name__, {}))
    for name, p in inspect.signature(cls).parameters.items():
        if p.default is not p.empty or name in found or p.kind is p.VAR_KEYWORD:
            continue
        if name in USUAL:
            found[name] = USUAL[name]
        elif name in ("schedule", "schedules"):
            cosine = known["Cosine"](1e-3)
            found[name] = cosine if name == "schedule" else [1e-3, cosine, 1e-4]
    if cls.__name__ == "Warmup":
        found["steps"] = 0.1
    elif cls.__name__ == "Scaled":
        found["factor"] = 0.5
    return found
