"""`optlab list`: what there is."""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from keras_optlab.cli import names
from keras_optlab.cli.console import Column, is_plain, note, show_table
from keras_optlab.cli.loading import load, without_computing

KINDS = ("optimizers", "schedules", "callbacks", "problems")


def list_names(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help=f"What to list: {', '.join(KINDS)}. E.g. optimizers",
            show_default=False,
        ),
    ],
    pattern: Annotated[
        str,
        typer.Argument(help="Names to list; * stands for anything. E.g. 'adam*'"),
    ] = "*",
    family: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="Optimizers of this family only; the start of it is enough. "
            "E.g. --family sign",
        ),
    ] = None,
) -> None:
    """List what there is.

    Optimizers come with their family, the bytes of state for each weight, and when
    to use them. Adam keeps 8 bytes a weight, SGD without momentum none.

    Examples:
    optlab list optimizers
    optlab list optimizers '*adam*' --family memory-efficient
    optlab list problems
    """
    kind = names.match(kind, {k: k for k in [*KINDS, *(k[:-1] for k in KINDS)]}, "kind")
    kind = kind.removesuffix("s") + "s"
    if family is not None and kind != "optimizers":
        raise ValueError(
            f"only optimizers have families. Received: --family {family} with {kind}."
        )
    without_computing()
    if kind == "optimizers":
        _list_optimizers(pattern, family)
    elif kind == "problems":
        _list_problems(pattern)
    else:
        _list_classes(kind, pattern)


def _chosen(known: Mapping[str, Any], pattern: str, what: str) -> dict[str, Any]:
    """Return those whose names match; raise if none does."""
    wanted = pattern.lower()
    found = {k: v for k, v in known.items() if fnmatch.fnmatch(k.lower(), wanted)}
    if not found:
        raise ValueError(
            f"No name of the {what} matches. Received: {pattern!r}. "
            f"{names.nearest(pattern, known)}"
        )
    return found


def _list_optimizers(pattern: str, family: str | None) -> None:
    info = load("optimizers").info
    known = {name: name for name in names.optimizers()}
    found = {name: info(name) for name in _chosen(known, pattern, "optimizers")}
    families = sorted({info.family for info in found.values()})
    if family is not None:
        families = _families(family, families)
    ordered = [info for f in families for info in found.values() if info.family == f]
    columns = [Column("optimizer"), Column("bytes", right=True)]
    columns += [Column("use it when", wraps=True)]
    if is_plain():
        columns.insert(1, Column("family"))
        show_table(columns, [_row(info, with_family=True) for info in ordered])
        return
    rows = []
    for f in families:
        rows.append([Text(f, style="bold cyan"), "", ""])
        rows += [_row(info) for info in ordered if info.family == f]
    show_table(columns, rows)
    note(f"{len(ordered)} optimizers. bytes: of state for each weight (float32).")
    note("Averaging, sharpness-aware and others wrap an optimizer: ema(adamw).")
    note("More about one: optlab show adamw")


def _families(wanted: str, known: Iterable[str]) -> list[str]:
    found = [f for f in known if f.startswith(wanted.lower())]
    if not found:
        raise ValueError(
            "None of these optimizers is of the family. Received: "
            f"--family {wanted}. {names.nearest(wanted, known)}"
        )
    return found


def _row(info: Any, with_family: bool = False) -> list[str]:
    when = info.tuning.use_when.replace("`", "") or names.summary(info.cls)
    row = [info.name, f"{info.bytes_per_parameter:g}", when]
    return [row[0], info.family, *row[1:]] if with_family else row


def _list_classes(kind: str, pattern: str) -> None:
    known = names.schedules() if kind == "schedules" else names.callbacks()
    found = _chosen(known, pattern, kind)
    columns = [Column(kind[:-1]), Column("arguments", wraps=True, rank=1)]
    columns += [Column("what it does", wraps=True)]
    rows = [[k, _arguments(cls), names.summary(cls)] for k, cls in found.items()]
    show_table(columns, rows)
    first = next(iter(found)).lower()
    more = f" Its picture: optlab plot {first}" if kind == "schedules" else ""
    note(f"More about one: optlab show {first}.{more}")


def _arguments(cls: Any) -> str:
    """Return the arguments that must be given, and the first of the others."""
    parameters = [
        p
        for p in inspect.signature(cls).parameters.values()
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    shown = [p.name for p in parameters[:5]]
    return ", ".join([*shown, "..."] if len(parameters) > 5 else shown)


def _list_problems(pattern: str) -> None:
    found = _chosen(names.problems(), pattern, "problems")
    columns = [Column("problem"), Column("what it is", wraps=True), Column("target")]
    columns += [Column("epochs", right=True, rank=1)]
    columns += [Column("batch", right=True, rank=1)]
    rows = []
    for name, problem in found.items():
        target = problem.target
        aim = f"{target.metric} {target.value:g}" if target else "-"
        size = f"{problem.epochs:g}", str(problem.batch_size)
        rows.append([name, problem.summary, aim, *size])
    show_table(columns, rows)
    note("Your own: a function that returns a lab.Problem, as module:function.")
