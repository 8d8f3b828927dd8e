"""The pictures of the gallery, in one style: legible on a phone, on any ground."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

import keras_optlab as kol
from tools.site.gallery import RECORDS, STUDIES, public

# Colours that people with any colour vision can tell apart (Okabe and Ito, 2008); the
# grey is readable on white and on black, since the ground is transparent.
BLUE, GREY = "#0072B2", "#767676"
TICKS = 0.1, 0.2, 0.3, 0.5, 1.0  # of losses
PARTS = "text.color", "xtick.color", "ytick.color", "axes.edgecolor"
PARTS += "axes.labelcolor", "axes.titlecolor"
STYLE: dict[str, Any] = dict.fromkeys(PARTS, GREY) | {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "font.size": 10,
    "grid.color": GREY,
    "grid.alpha": 0.2,
    "lines.linewidth": 2,
    "savefig.transparent": True,
}
ARGUMENTS: dict[str, tuple[Any, ...]] = {  # of schedules that need some
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
    with rc_context(STYLE):
        for name in {n for found in RECORDS.values() for n in found}:
            save(losses(name), folder / f"optimizers/{name}.png")
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
            ax.plot(*_curve(found["adam"]), color=GREY, linestyle="--", label="adam")
        ax.plot(*_curve(found[name]), color=BLUE, linewidth=2.6, label=name)
        ends = [_curve(r)[1][-1] for r in found.values()]
        ax.set(title=STUDIES[study], xlabel="updates", ylabel="loss of test images")
        ax.set(yscale="log", ylim=(0.8 * min(ends), 1.5))
        ax.set_yticks(TICKS, labels=map(str, TICKS))
        ax.minorticks_off()
        ax.legend(frameon=False, loc="upper right")
    return figure


def _curve(record: dict[str, Any]) -> tuple[list[int], list[float]]:
    return record["curve"]["updates"], record["curve"]["loss"]


def curve(name: str) -> Figure:
    """Return the values of a schedule over a training."""
    cls = getattr(kol.schedules, name)
    values = cls(*ARGUMENTS.get(name, (1.0,))).values(101)
    figure = Figure(figsize=(7.2, 2.4), layout="constrained")
    ax = figure.subplots()
    ax.plot(np.linspace(0, 1, len(values)), values, color=BLUE)
    ax.set(xlabel="share of the training", ylabel="value", ylim=(0, None))
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a picture with few colours, which makes a small file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    Image.open(path).quantize(64, method=Image.Quantize.FASTOCTREE).save(path)
