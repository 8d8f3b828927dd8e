"""Plots of schedules."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_optlab.core.figures import new_axes


def draw(
    schedule: Any,
    values: np.ndarray,
    ax: Any = None,
    times: np.ndarray | None = None,
    unit: str = "step",
) -> Any:
    """Draw the values of a schedule over time; return the matplotlib axes.

    Args:
        schedule: The schedule, for the legend.
        values: Its values.
        ax: matplotlib axes to draw into. Defaults to the axes of a new figure.
        times: Their times. Defaults to steps from 0 on.
        unit: What the times count.
    """
    if ax is None:
        ax = new_axes((6.4, 4.0), instead="take the numbers of `schedule.values(n)`")
    times = np.arange(len(values)) if times is None else times
    ax.plot(times, values, label=repr(schedule))
    ax.set_xlabel(unit)
    ax.set_ylabel("value")
    ax.set_ylim(bottom=0, auto=None)  # the top adapts to later curves
    return ax
