"""Pictures of the loss and the metrics of trainings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_optlab.core.figures import colour, new_axes
from keras_optlab.plotting.curves import Curve, named_curves
from keras_optlab.stopping.direction import infer_mode

COLUMNS = 3
LABELS = 10  # a panel with more lines has no legend
DOTS = 30  # epochs up to which each has a dot
# What `Monitor` adds, in panels at the end.
OF_OPTIMIZER = ("lr", "grad_norm", "clipped_fraction", "skipped_fraction")


def plot_history(history: Any) -> Any:
    """Draw the loss and the metrics of one training or several, over the epochs.

    Each metric has a panel, with the training and the validation. The loss comes first.
    The best epoch is marked: of the validation if there is one, where the metric's name
    tells whether lower or higher is better. A panel with positive values over more than
    a factor of 20 has a logarithmic axis. What `Monitor` adds to the logs, the learning
    rate and others, comes last, except shares that are always 0. It needs matplotlib:
    `pip install keras-optlab[plot]`.

    Args:
        history: the `History` that `fit` returns; its dict `history.history`; the path
            of a file of Keras' `CSVLogger`; or a dict of these, by name, to compare
            trainings.

    Returns:
        The matplotlib figure.

    Raises:
        ImportError: if matplotlib is not installed.
        TypeError: if `history` is something else.
        ValueError: if there are no numbers in it.

    Example:
        >>> import matplotlib
        >>> matplotlib.use("agg")
        >>> figure = plot_history({"loss": [2.0, 1.0], "val_loss": [2.5, 3.0]})
        >>> [line.get_label() for line in figure.axes[0].get_lines()]
        ['training', 'validation', 'best: 2.5 in epoch 1']
    """
    trainings = named_curves(history)
    panels = _panels(trainings)
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    axes = new_axes(
        (4.5 * columns + 0.5, 3.3 * rows),
        rows,
        columns,
        squeeze=False,
        instead="take the numbers of `history.history`",
    )
    for ax, metric in zip(axes.flat, panels, strict=False):
        _draw(ax, metric, trainings)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    return axes[0, 0].figure


def _panels(trainings: Mapping[str, Mapping[str, Curve]]) -> list[str]:
    """Return the metrics in the order of their panels, without `val_`."""
    curves = [item for each in trainings.values() for item in each.items()]
    names = [name.removeprefix("val_") for name, _ in curves]
    drawn = {name for name, curve in curves if np.any(curve.values != 0)}
    last = [name for name in OF_OPTIMIZER if name in drawn]
    rest = [x for x in dict.fromkeys(names) if x not in (*OF_OPTIMIZER, "loss")]
    return (["loss"] if "loss" in names else []) + rest + last


def _draw(ax: Any, metric: str, trainings: Mapping[str, Mapping[str, Curve]]) -> None:
    drawn = []
    for i, (name, curves) in enumerate(trainings.items()):
        both = {"training": metric, "validation": f"val_{metric}"}
        given = {kind: curves[key] for kind, key in both.items() if key in curves}
        for j, (kind, curve) in enumerate(given.items()):
            # One training has a colour for each kind, several have one for each.
            of_line = colour(i if name else j)
            faint = bool(name) and kind == "training" and len(given) > 1
            ax.plot(
                curve.epochs,
                curve.values,
                color=of_line,
                label=_label(name, kind, metric),
                marker="." if len(curve.epochs) <= DOTS else "",
                linestyle="--" if faint else "-",
                alpha=0.6 if faint else 1.0,
            )
            drawn.append(curve)
            if j == len(given) - 1:
                _mark_best(ax, metric, curve, of_line, name)
    ax.set_title(metric)
    ax.set_xlabel("epoch")
    ax.xaxis.get_major_locator().set_params(integer=True)
    if metric != "lr" and _spans_magnitudes(drawn):
        ax.set_yscale("log")
    one = len(trainings) == 1 and metric in OF_OPTIMIZER
    if len(ax.get_lines()) <= LABELS and not one:
        ax.legend()


def _label(name: str, kind: str, metric: str) -> str:
    if metric in OF_OPTIMIZER:  # of neither training nor validation data
        return name or metric
    return f"{name}, {kind}" if name else kind


def _mark_best(ax: Any, metric: str, curve: Curve, of_line: str, name: str) -> None:
    """Mark the best epoch of a curve, if the metric's name tells what is best."""
    try:
        best = curve.best(infer_mode(metric))
    except ValueError:
        return
    if best is None or len(curve.epochs) < 2:
        return
    epoch, value = best
    label = f"{f'{name}, ' if name else ''}best: {value:.4g} in epoch {epoch}"
    style = {"markersize": 8, "markerfacecolor": "none", "linestyle": ""}
    ax.plot([epoch], [value], "o", color=of_line, label=label, **style)


def _spans_magnitudes(curves: list[Curve]) -> bool:
    """Return whether the values are positive and differ by more than a factor of 20."""
    values = np.concatenate([curve.values for curve in curves])
    values = values[np.isfinite(values)]
    return len(values) > 0 and values.min() > 0 and values.max() > 20 * values.min()
