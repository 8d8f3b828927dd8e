"""Curves drawn in the terminal, by uniplot."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence

from rich.text import Text

from keras_optlab.cli.console import is_plain, note, out

HEIGHT, WIDEST = 14, 84
MARGIN = 12  # columns for the numbers beside a chart


def show_chart(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    title: str,
    logarithmic: bool = False,
) -> None:
    """Print curves: `(x, y)` by their labels.

    Args:
        curves: The curves.
        title: What the chart shows.
        logarithmic: Whether the x axis is.
    """
    if importlib.util.find_spec("uniplot") is None:
        note('No chart here. Run: pip install "keras-optlab[lab]"')
        return
    from uniplot import plot_to_string

    most = max(abs(y) for _, ys in curves.values() for y in ys if math.isfinite(y))
    power = math.floor(math.log10(most)) if most else 0
    power = 0 if -2 < power < 4 else power
    unit = "" if power == 0 else f" (in 1e{power:+03d})"
    drawn = plot_to_string(
        xs=[list(xs) for xs, _ in curves.values()],
        ys=[[y / 10**power for y in ys] for _, ys in curves.values()],
        legend_labels=list(curves) if len(curves) > 1 else None,
        lines=True,
        width=min(out.width - MARGIN, WIDEST),
        height=HEIGHT,
        color=not is_plain(),
        character_set="braille",
        x_as_log=logarithmic,
        y_gridlines=[],
        x_gridlines=[],
    )
    out.print()
    out.print(f"{title}{unit}")
    out.print(Text.from_ansi(drawn))
