"""Plots of range tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_optlab.core.figures import GREEN, GREY, colour, new_axes
from keras_optlab.finders.smoothing import smooth


def draw(result: Any, ax: Any = None) -> Any:
    """Draw a `RateRange`; return the matplotlib axes."""
    if ax is None:
        ax = new_axes((7.0, 6.0), instead="print `result.table()`")
    for i, losses in enumerate(result.losses):
        label = "runs, smoothed" if i == 0 else None
        values = result.values[: len(losses)]
        ax.plot(values, smooth(losses), color=GREY, alpha=0.4, label=label)
    curve = result.curve
    if len(curve.values):
        ax.plot(curve.values, curve.losses, color="black", label="mean")
        low, high = np.quantile(curve.losses, [0.0, 0.9])
        margin = 0.5 * (high - low) or 1.0  # divergence would flatten the rest
        ax.set_ylim(low - 0.2 * margin, high + margin)
    if result.found:
        label = f"range, confidence {result.confidence:.0%}"
        ax.axvspan(result.low, result.high, color=GREEN, alpha=0.15, label=label)
    for i, (rule, value) in enumerate(result.suggestions.items()):
        loss = np.interp(np.log(value), np.log(curve.values), curve.losses)
        label = f"{rule} {value:.2g}: {result.explained(rule)}"
        ax.plot(value, loss, "o", color=colour(i), label=label)
    ax.set_xscale("log")
    ax.set_xlabel(result.name)
    ax.set_ylabel("loss after the update")
    ax.set_title(result.table().splitlines()[0], fontsize="medium")
    ax.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.13))
    return ax
