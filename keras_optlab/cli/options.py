"""Options that several commands have."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_optlab.cli.loading import choose_backend

Backend = Annotated[
    str | None,
    typer.Option(
        callback=choose_backend,
        is_eager=True,
        metavar="NAME",
        help="What Keras computes with: tensorflow, jax or torch; by default "
        "KERAS_BACKEND, or Keras' configuration. E.g. --backend jax",
    ),
]
Problem = Annotated[
    str,
    typer.Argument(
        help="A name of `optlab list problems`, or your own: module:function, "
        "file.py, file.py:function. E.g. mnist-mlp",
        show_default=False,
    ),
]
Optimizer = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="A name of `optlab list optimizers`, one inside of a wrapper, or a call. "
        'E.g. --optimizer adamw, --optimizer "ema(adamw, average_decay=0.99)"',
    ),
]
Optimizers = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        show_default=False,
        help="Optimizers with commas between them; arguments in brackets are not "
        "searched, and nothing is if a learning_rate is given. "
        'E.g. --optimizers "sgd,adam(beta_1=0.8),ema(adamw),keras.adam"',
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        metavar="NUMBER",
        min=1,
        help="Fresh seeds of a chosen setting, for the results. E.g. --seeds 3",
    ),
]
Target = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        show_default=False,
        help="Value to reach, if not that of the problem. E.g. --target 0.97",
    ),
]
Devices = Annotated[
    int,
    typer.Option(
        metavar="NUMBER",
        min=1,
        help="Devices that share each batch of a training. E.g. --devices 2",
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        show_default=False,
        help="Where to keep the records; by default in studies/. "
        "E.g. --folder studies/first",
    ),
]
Epochs = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        show_default=False,
        help="Length of a training, if not that of the problem. E.g. --epochs 0.5",
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        show_default=False,
        help="By what settings are chosen: updates or seconds to the target, or the "
        "final value; by default updates where there is a target. E.g. "
        "--objective seconds",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Where trials run: processes of this machine, here (one after the other), "
        "or ray. E.g. --engine ray",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        show_default=False,
        help="Trials at once; by default as many as there are cores. E.g. --workers 2",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        show_default=False,
        help="A Ray cluster, with --engine ray. E.g. --address 10.0.0.1:6379",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        metavar="NUMBER",
        help="First random seed; the same one gives the same numbers. E.g. --seed 1",
    ),
]
Picture = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        show_default=False,
        help="Where to write the picture, PNG, SVG or PDF; needs the extra plot. "
        "E.g. --output picture.png",
    ),
]


def separated(text: str) -> list[str]:
    """Return the parts between commas that are in no bracket.

    >>> separated("sgd, adam(learning_rate=1e-3, beta_1=0.8),muon")
    ['sgd', 'adam(learning_rate=1e-3, beta_1=0.8)', 'muon']
    """
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


def assignments(texts: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """Return the values of `name=value` by name; a value that is no number is a text.

    >>> assignments(["learning_rate=3e-3", "nesterov=True", "scaling=jordan"])
    {'learning_rate': 0.003, 'nesterov': True, 'scaling': 'jordan'}

    Raises:
        ValueError: if one has no name, or a name comes twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name.isidentifier() or name in found:
            raise ValueError(
                f"expected different names with a value, as in {option} "
                f"learning_rate=3e-3. Received: {option} {text}"
            )
        try:
            found[name] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            found[name] = value.strip()
    return found
