"""What the examples of this folder share: colours, labels at the lines, small files."""

import argparse
import math
import sys
import textwrap
from pathlib import Path

import numpy as np

from keras_optlab.core.figures import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, STYLE  # noqa: F401

try:
    from matplotlib import rcParams
    from matplotlib.figure import Figure
except ImportError:
    sys.exit(
        f"The picture needs matplotlib: {sys.executable} -m pip install matplotlib"
    )

# The pictures lie on a white or a black ground.
TEXT = {f"{part}.color": GREY for part in ("text", "xtick", "ytick")}
LINES = {f"axes.{part}": GREY for part in ("edgecolor", "labelcolor", "titlecolor")}
rcParams.update(STYLE | TEXT | LINES | {"savefig.transparent": True})
rcParams.update({"font.size": 9, "axes.titlesize": 9})
rcParams.update({"figure.titlesize": 10, "figure.titleweight": "bold"})
rcParams.update({"axes.titlelocation": "center"})


def arguments(description, picture, **numbers):
    """Return the options of the command line: --picture, and numbers by name."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    for name, default in numbers.items():
        text = f"default: {default:,}"
        parser.add_argument(f"--{name}", type=int, default=default, help=text)
    text = f"default: {picture}"
    parser.add_argument("--picture", type=Path, default=picture, help=text)
    return parser.parse_args()


def panels(columns, rows=1, height=3.0, **options):
    """Return a figure, and its axes."""
    figure = Figure(figsize=(7.2, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def contours(axes, loss, xs, ys, levels=7):
    """Draw the lines of equal loss over the plane of two weights."""
    x, y = np.meshgrid(np.linspace(*xs, 60), np.linspace(*ys, 60))
    values = loss(np.stack([x, y], axis=-1))
    axes.contour(x, y, values, levels, colors=GREY, alpha=0.4, linewidths=0.7)


def label(axes, x, y, text, color, **options):
    """Write the name of a line beside a point of it."""
    beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
    axes.annotate(text, (x, y), color=color, **beside | options)


def label_ends(axes, lines, gap):
    """Write names beside the ends of lines, each at least `gap` above the one below.

    Args:
        axes: The axes; if the vertical one is logarithmic, the gap is in decades.
        lines: For each line its name, last value and color.
        gap: The distance.
    """
    is_log = axes.get_yscale() == "log"
    end, lowest = max(line.get_xdata()[-1] for line in axes.lines), -math.inf
    for name, value, color in sorted(lines, key=lambda line: line[1]):
        lowest = max(math.log10(value) if is_log else value, lowest + gap)
        label(axes, end, 10**lowest if is_log else lowest, name, color)


def write(axes, code):
    """Write lines of code in place of a plot."""
    axes.text(0, 0.5, code, family="monospace", fontsize=7, va="center")
    axes.axis("off")


def save(figure, conclusion, path):
    """Save a picture under its conclusion, with 64 colours: a third of the size."""
    from PIL import Image

    figure.suptitle(textwrap.fill(conclusion.replace(" %", "\u00a0%"), 84))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    with Image.open(path) as picture:
        small = picture.convert("RGBA").quantize(64, Image.Quantize.FASTOCTREE)
    small.save(path, optimize=True)
    print(f"Saved a picture of it: {path}")
