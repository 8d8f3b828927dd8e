"""The pictures of the gallery, in one style: legible on a phone, on any ground."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

import keras_optlab as kol
from keras_optlab.core.figures import BLUE, GREY, STYLE
from keras_optlab.lab.problems import find
from tools.site.gallery import PATHS, RECORDS, STUDIES, public

TICKS = 0.1, 0.2, 0.3, 0.5, 1.0  # of losses
PARTS = "text.color", "xtick.color", "ytick.color", "axes.edgecolor"
PARTS += "axes.labelcolor", "axes.titlecolor"
# The pictures lie on a white or a black ground.
ON_ANY_GROUND = dict.fromkeys(PARTS, GREY) | {"savefig.transparent": True}
ARGUMENTS: dict[str, tuple[Any, ...]] = {  # of schedules that need some
    "BetaWarmup": (0.5,),
    "Constant": (1.0,),
    "CosineRestarts": (1.0, 0.2),
    "Cyclical": (0.1, 1.0, 0.15),
    "Exponential": (1.0,),
    "Join": ([kol.schedules.Linear(1.0, 40), kol.schedules.Constant(0.3)], [60]),
    "Piecewise": ([40, 80], [1.0, 0.3, 0.1]),
    "Scaled": (kol.schedules.Cosine(1.0), 0.5),
    "Warmup": (kol.schedules.Cosine(1.0), 0.1),
}


def draw(folder: Path) -> None:
    """Draw all pictures into the gallery's folder."""
    with rc_context(STYLE | ON_ANY_GROUND):
        for name in {n for found in RECORDS.values() for n in found}:
            save(losses(name), folder / f"optimizers/{name}.png")
        for name, ways in PATHS.items():
            save(paths(ways), folder / f"optimizers/{name}-paths.png")
        for name in public("schedules"):
            save(curve(name), folder / f"schedules/{name.lower()}.png")


def losses(name: str) -> Figure:
    """Return the losses of an optimizer on the networks, before those of all others."""
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    studies = [study for study in STUDIES if name in RECORDS[study]]
    for ax, study in zip(
        figure.subplots(1, len(studies), squeeze=False)[0], studies, strict=True
    ):
        found = RECORDS[study]
        for other in found:
            ax.plot(*_curve(found[other]), color=GREY, linewidth=0.6, alpha=0.35)
        if "adam" in found:
            ax.plot(
                *_curve(found["adam"]),
                color=GREY,
                linestyle="--",
                linewidth=2,
                label="adam",
            )
        ax.plot(*_curve(found[name]), color=BLUE, linewidth=2.6, label=name)
        ends = [_curve(r)[1][-1] for r in found.values()]
        ax.set(title=STUDIES[study], xlabel="updates", ylabel="loss of test images")
        ax.set(yscale="log", ylim=(0.8 * min(ends), 1.5))
        ax.set_yticks(TICKS, labels=map(str, TICKS))
        ax.minorticks_off()
        ax.legend(loc="upper right")
    return figure


def paths(ways: list[dict[str, Any]]) -> Figure:
    """Return the ways of an optimizer on functions of two numbers."""
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    axes = figure.subplots(1, len(ways), squeeze=False)[0]
    for ax, record in zip(axes, ways, strict=True):
        surface: Any = find(record["function"]).surface
        x, y, height = surface.grid(120)
        above = height - surface.function(*np.array(surface.minimum))
        logs = np.log10(above + 1e-3 * np.median(above))
        ax.contour(x, y, logs, 12, colors=GREY, alpha=0.5, linewidths=0.7)
        ax.plot(*np.array(record["points"]).T, color=BLUE, linewidth=2)
        ax.plot(*record["points"][-1], "o", color=BLUE)
        ax.plot(*surface.start, "s", color=GREY, label="start")
        ax.plot(*surface.minimum, "*", color=GREY, markersize=13, label="minimum")
        ax.set(xlim=surface.domain[0], ylim=surface.domain[1], xlabel="x", ylabel="y")
        ax.set_title(
            f"{record['function'].capitalize()}: ends {record['end']:.2g} above"
        )
        ax.grid(visible=False)
        ax.legend(loc="lower left")
    return figure


def _curve(record: dict[str, Any]) -> tuple[list[int], list[float]]:
    return record["curve"]["updates"], record["curve"]["loss"]


def curve(name: str) -> Figure:
    """Return the values of a schedule over a training."""
    cls = getattr(kol.schedules, name)
    values = cls(*ARGUMENTS.get(name, (1.0,))).values(101)
    figure = Figure(figsize=(7.2, 2.4), layout="constrained")
    ax = figure.subplots()
    ax.plot(np.linspace(0, 1, len(values)), values, color=BLUE, linewidth=2)
    ax.set(xlabel="share of the training", ylabel="value", ylim=(0, None))
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a picture with few colours, which makes a small file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    Image.open(path).quantize(64, method=Image.Quantize.FASTOCTREE).save(path)
