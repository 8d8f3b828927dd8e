"""The style of the package's pictures, and new axes in it."""

from __future__ import annotations

from typing import Any

# Colours that people with any colour vision can tell apart (Okabe and Ito, 2008).
COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"
BLUE, RED, GREEN, PINK, SKY, ORANGE, BLACK = COLOURS
GREY = "#767676"  # readable on white and on black

STYLE: dict[str, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "font.size": 10,
    "grid.color": GREY,
    "grid.alpha": 0.2,
    "legend.fontsize": 9,
    "legend.frameon": False,
}


def colour(number: int) -> str:
    """Return the colour of the line with this number.

    >>> colour(0) == colour(len(COLOURS)) == BLUE
    True
    """
    return COLOURS[number % len(COLOURS)]


def new_axes(
    size: tuple[float, float],
    rows: int = 1,
    columns: int = 1,
    *,
    instead: str = "",
    **options: Any,
) -> Any:
    """Return axes of a new figure of pyplot; an array for several rows or columns.

    Args:
        size: Width and height in inches.
        rows: Rows of axes.
        columns: Columns of axes.
        instead: How to read the numbers without a picture, for the error.
        **options: For `pyplot.subplots`.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "The picture needs matplotlib. Run `pip install keras-optlab[plot]`"
            + (f", or {instead}." if instead else ".")
        ) from error
    with pyplot.rc_context(STYLE):
        figure = pyplot.subplots(
            rows, columns, figsize=size, layout="constrained", **options
        )
    return figure[1]
