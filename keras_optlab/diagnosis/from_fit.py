"""Reading what `fit` has left behind: a Keras History, or a `Monitor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_optlab.callbacks import Monitor
from keras_optlab.diagnosis.record import Curve, Record
from keras_optlab.diagnosis.setting import schedule_points, setting_of

RATES = "lr", "learning_rate"  # as `Monitor` and Keras' callbacks log it


def read_history(history: Any) -> Record:
    """Return the record of a Keras History, with what its model still knows."""
    logs: Mapping[str, Sequence[Any]] = history.history
    epochs = {k: numbers(enumerate(v, 1)) for k, v in logs.items()}
    model = getattr(history, "_model", None)
    logged = next((epochs[k] for k in RATES if k in epochs), None)
    scheduled = Curve.of(schedule_points(model)) if model is not None else None
    skipped = epochs.get("skipped_fraction")
    steps: dict[str, Curve] = {}
    if skipped:  # Keras' History has no entry for an epoch without it
        steps["optimizer/skipped_fraction"] = skipped
    per_epoch = (getattr(history, "params", None) or {}).get("steps")
    known = len(next(iter(logs.values()), []))
    return Record(
        source="history",
        epochs=epochs,
        steps=steps,
        rate=scheduled or logged,
        rate_by_epoch=not scheduled,
        setting=None if model is None else setting_of(model),
        trained=per_epoch * known if per_epoch else None,
    )


def read_monitor(monitor: Monitor) -> Record:
    """Return the record of a `Monitor`, with what its model still knows."""
    columns: dict[str, list[tuple[float, float]]] = {}
    epochs = 0  # also over several calls of `fit`, each of which begins at 0
    for row in monitor.rows:
        epochs += any(tag.startswith("epoch/") for tag in row)
        for tag, value in row.items():
            if tag not in ("step", "epoch"):
                at = epochs if tag.startswith("epoch/") else row["step"]
                columns.setdefault(tag, []).append((at, value))
    curves = {tag: Curve.of(points) for tag, points in columns.items()}
    own = monitor.given_optimizer is None
    model = getattr(monitor, "_model", None) if own else None
    rate = curves.get("optimizer/learning_rate")
    if not rate and model is not None:
        rate = Curve.of(schedule_points(model))
    return Record(
        source="monitor",
        epochs=of_epochs(curves),
        steps={k: v for k, v in curves.items() if not k.startswith("epoch/")},
        losses=interval_losses(monitor.rows),
        rate=rate,
        setting=None if model is None else setting_of(model),
        trained=int(monitor.rows[-1]["step"]) if monitor.rows else None,
    )


def numbers(points: Any) -> Curve:
    """Return the curve of points whose values are numbers; empty if they are not."""
    try:
        return Curve.of((at, float(value)) for at, value in points)
    except (TypeError, ValueError):  # a metric of text, or of several values
        return Curve.of([])


def of_epochs(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """Return the metrics of epochs by their names."""
    start = "epoch/"
    return {
        k.removeprefix(start): curve
        for k, curve in curves.items()
        if k.startswith(start)
    }


def interval_losses(rows: Sequence[Mapping[str, float]]) -> Curve | None:
    """Return the mean loss since the last row, from means since the epoch's begin.

    >>> rows = [{"step": 1, "step/loss": 4.0}, {"step": 2, "step/loss": 3.0},
    ...         {"step": 4, "epoch/loss": 2.0}, {"step": 6, "step/loss": 1.0}]
    >>> interval_losses(rows).values.tolist()
    [4.0, 2.0, 1.0, 1.0]
    """
    points: list[tuple[float, float]] = []
    begin = last = rows[0]["step"] - 1 if rows else 0.0
    total = 0.0
    for row in rows:
        loss = row.get("step/loss", row.get("epoch/loss"))
        step = row["step"]
        if loss is not None and step > last:
            now = loss * (step - begin)
            # after a NaN, the mean is NaN until the end of the epoch
            known = total if np.isfinite(total) else 0.0
            points.append((step, (now - known) / (step - last)))
            last, total = step, now
        if "epoch/loss" in row:
            begin = last = step
            total = 0.0
    return Curve.of(points) if points else None
