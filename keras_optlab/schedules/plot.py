"""Plots of schedules."""

from __future__ import annotations

from typing import Any


def draw(schedule: Any, last: int, ax: Any = None) -> Any:
    """Draw the values from step 0 to step `last`; return the matplotlib axes."""
    if ax is None:
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ImportError(
                "Plotting needs matplotlib. Run `pip install keras-optlab[plot]`, or "
                "take the numbers from `schedule.values(n)`."
            ) from error
        _, ax = pyplot.subplots()
    ax.plot(schedule.values(last + 1), label=repr(schedule))
    ax.set_xlabel("step")
    ax.set_ylabel("value")
    ax.set_ylim(bottom=0, auto=None)  # the top adapts to later curves
    return ax
