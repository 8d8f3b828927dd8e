"""The gallery: a page for each optimizer, wrapper, schedule, transform and callback."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import keras_optlab as kol
from keras_optlab.core.fields import REQUIRED
from keras_optlab.engine import Optimizer
from tools.site.docstrings import cell, markdown, meanings, signature, summary
from tools.site.pages import ROOT

STUDIES = {"mlp": "MLP 784-64-10", "cnn": "CNN with two convolutions"}
ROOMS = {
    "schedules": "A value that changes in a training: a learning rate, or another one.",
    "transforms": "Changes to gradients or updates, as arguments of each optimizer.",
    "callbacks": "For `fit`: they record, change and end a training.",
}
BASES = {"Callback", "MetricCallback", "StepCallback", "Schedule", "Timed", "Factor"}
BASES |= {"TensorTransform", "Transform", "Penalty"}


def records(study: str) -> list[dict[str, Any]]:
    """Return the complete trainings of a study of the gallery."""
    found = _lines(study)
    return [r for r in found if r.get("status") == "complete"]


def _lines(study: str) -> list[dict[str, Any]]:
    path = ROOT / f"benchmarks/studies/gallery-{study}/records.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def paths() -> dict[str, list[dict[str, Any]]]:
    """Return the ways on functions of two numbers, by the name of the optimizer."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in _lines("paths"):
        if "points" in record:
            found.setdefault(record["label"], []).append(record)
    return found


def last(study: str) -> dict[str, dict[str, Any]]:
    """Return the training with the best setting, by the name of the optimizer."""
    return {r["label"]: r for r in records(study) if r["purpose"] == "final"}


def costs(study: str) -> dict[str, float]:
    """Return the shortest time of a step over SGD's, by the name of the optimizer."""
    times: dict[str, list[float]] = {}
    for record in records(study):
        times.setdefault(record["label"], []).append(record["step_seconds"])
    # The machine was shared: other programs make steps longer, never shorter.
    return {name: min(found) / min(times["sgd"]) for name, found in times.items()}


RECORDS = {study: last(study) for study in STUDIES}
COSTS = costs("mlp")
PATHS = paths()


def pages() -> dict[str, str]:
    """Return all pages of the gallery, by place."""
    found = {"gallery/index.md": index()}
    for name in kol.optimizers.names() + kol.optimizers.wrappers():
        about = kol.optimizers.info(name)
        if about.cls.__module__.startswith("keras_optlab.optimizers."):
            found[f"gallery/optimizers/{name}.md"] = optimizer(about)
    for room in ROOMS:
        for name in public(room):
            cls = getattr(getattr(kol, room), name)
            found[f"gallery/{room}/{name.lower()}.md"] = plain(cls, room)
    return found


def public(room: str) -> list[str]:
    """Return the names of the classes of a room that have a page."""
    return [n for n in getattr(kol, room).__all__ if n not in BASES]


def index() -> str:
    """Return the page that lists all others."""
    parts = [
        "# Gallery",
        "Each page has the formula, a picture, the arguments and the paper.",
    ]
    parts += ["## Optimizers", _table(kol.optimizers.names())]
    parts += ["## Wrappers", "Around any optimizer.", _table(kol.optimizers.wrappers())]
    for room, what in ROOMS.items():
        classes = [getattr(getattr(kol, room), name) for name in public(room)]
        links = [f"[{c.__name__}]({room}/{c.__name__.lower()}.md)" for c in classes]
        said = [cell(summary(c)) for c in classes]
        rows = [f"| {a} | {b} |" for a, b in zip(links, said, strict=True)]
        parts += [
            f"## {room.capitalize()}",
            what,
            "| name | what it is |\n|---|---|",
            *rows,
        ]
    return re.sub(r"\n\n(?=\| \[)", "\n", "\n\n".join(parts))


def _table(names: list[str]) -> str:
    lines = ["| name | what it is | source | bytes per weight | step |"]
    lines += ["|---|---|---|--:|--:|"]
    for name in names:
        about = kol.optimizers.info(name)
        link = f"[{about.cls.__name__}](optimizers/{name}.md)"
        what = cell(about.summary.partition(": ")[2] or about.summary)
        row = link, what, _paper(about), f"{about.bytes_per_parameter:g}", _cost(name)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def optimizer(about: Any) -> str:
    """Return the page of an optimizer or a wrapper."""
    name, cls = about.name, about.cls
    parts = [
        f"# {cls.__name__}",
        _sentence(about),
    ]
    if any(name in of for of in RECORDS.values()):
        parts += [
            f"![Losses of {cls.__name__} on two networks]({name}.png)",
            _tuned(name),
        ]
    if name in PATHS:
        parts += [
            f"![Ways of {cls.__name__} on two functions]({name}-paths.png)",
            _ways(about),
        ]
    if about.tuning.use_when:
        parts += [f"**Use it when:** {about.tuning.use_when}"]
        parts += [f"**Rather not:** {about.tuning.not_when}"]
    skip = "Args", "Raises"
    parts += ["## Rule", markdown(cls, 2, skip), "## Arguments", _arguments(cls)]
    parts += ["## Facts", _facts(about)]
    return "\n\n".join(part for part in parts if part)


def _sentence(about: Any) -> str:
    """Return what it is, with a capital letter."""
    text = about.summary.partition(": ")[2] or about.summary
    return text[0].upper() + text[1:]


def _arguments(cls: Any) -> str:
    said = meanings(cls)
    lines = ["| argument | default | range | meaning |", "|---|---|---|---|"]
    for name, p in inspect.signature(cls).parameters.items():
        field = cls.fields.get(name)
        if field is not None and field is Optimizer.fields.get(name):
            continue
        default = "" if p.default is REQUIRED else f"`{p.default!r}`"
        domain = "" if field is None or field.domain == "any" else f"`{field.domain}`"
        row = f"`{name}`", default, cell(domain), cell(said.get(name, ""))
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(
        [
            *lines,
            "",
            "And [the arguments of every optimizer](../../reference/shared.md).",
        ]
    )


def _facts(about: Any) -> str:
    twin = f"`keras.optimizers.{about.keras_twin}`" if about.keras_twin else "none"
    rows = [
        ("family", about.family),
        ("name in `create` and `optlab`", f"`{about.name}`"),
        (
            "state",
            f"{about.bytes_per_parameter:g} bytes a weight, for a matrix of 256 x 64",
        ),
        ("the same numbers in Keras", twin),
        ("entries of a weight affect each other", "no" if about.elementwise else "yes"),
        ("finds its step size", "yes" if about.learning_rate_free else "no"),
        ("time of a step, over SGD's", _cost(about.name)),
        ("paper", f"{_paper(about)}, {about.paper.title}"),
    ]
    return "\n".join(
        [
            "| fact | value |",
            "|---|---|",
            *(f"| {a} | {cell(b)} |" for a, b in rows if b),
        ]
    )


def _tuned(name: str) -> str:
    """Return what was measured, in words."""
    record = next(of[name] for of in RECORDS.values() if name in of)
    given = ", ".join(
        f"`{k}={v:.4g}`" if isinstance(v, float) else f"`{k}={v}`"
        for k, v in record["setting"]["arguments"].items()
    )
    return (
        "The best of six settings on 10,000 images of MNIST, three epochs, one seed: "
        f"{given}. Grey: all other optimizers; dashed: Adam. One seed judges nothing."
    )


def _ways(about: Any) -> str:
    """Return what the ways are, in words."""
    ways = PATHS[about.name]
    where = "Around Adam: the" if about.name in kol.optimizers.wrappers() else "The"
    rates = [
        f"{w['arguments']['learning_rate']:g} ({w['function'].capitalize()})"
        for w in ways
        if "learning_rate" in w["arguments"]
    ]
    of_rates = f", {' and '.join(rates)}" if rates else ""
    text = f"{where} way of 200 updates at the best of five learning rates{of_rates}."
    vector = "" if about.elementwise else " The two numbers are a vector, no matrix."
    return text + vector


def _cost(name: str) -> str:
    """Return the time of a step over SGD's on the small MLP."""
    return f"{COSTS[name]:.1f}" if name in COSTS else ""


def _paper(about: Any) -> str:
    text = f"{about.paper.authors} ({about.paper.year})"
    if not about.paper.arxiv:
        return text
    return f"[{text}](https://arxiv.org/abs/{about.paper.arxiv})"


def plain(cls: Any, room: str) -> str:
    """Return the page of a schedule, a transform or a callback."""
    name = cls.__name__
    parts = [f"# {name}", summary(cls)]
    if room == "schedules":
        parts += [f"![Values of {name} over a training]({name.lower()}.png)"]
    parts += [signature(f"kol.{room}.{name}", cls), markdown(cls)]
    return "\n\n".join(parts)
