"""Reading the event files of a `TensorBoard` callback."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_optlab.core.records import records
from keras_optlab.diagnosis.from_fit import interval_losses, of_epochs
from keras_optlab.diagnosis.record import Curve, Record

TRAIN, VALIDATION = "train", "validation"
STARTED = 1  # `SessionLog.START`
LENGTH = re.compile(
    r"\| `steps per epoch` \| (\d+) \|"
)  # in the text about the training


def read_log(directory: str | os.PathLike[str]) -> Record:
    """Return the record of the training that was logged into a directory.

    Raises:
        ImportError: if the `tensorboard` package is not installed.
        ValueError: if the directory has no log of `kol.callbacks.TensorBoard`, or has
            those of several trainings.
    """
    log = _one_log(Path(directory))
    train, texts = _scalars(log / TRAIN)
    validation, _ = _scalars(log / VALIDATION)
    if not train:
        raise ValueError(
            "The log must have scalars of `kol.callbacks.TensorBoard`. Received: "
            f"{os.fspath(directory)!r}, whose run {TRAIN!r} has none. Train at least "
            "one step with the callback."
        )
    curves = {tag: Curve.of(points) for tag, points in train.items()}
    epochs = {
        tag: Curve.of((at + 1, v) for at, v in points)  # epochs are logged from 0
        for tag, points in train.items()
        if tag.startswith("epoch/")
    }
    validated = {
        tag.replace("epoch/", "epoch/val_"): Curve.of((at + 1, v) for at, v in points)
        for tag, points in validation.items()
        if tag.startswith("epoch/")
    }
    steps = {k: v for k, v in curves.items() if not k.startswith("epoch/")}
    length = LENGTH.search(texts)
    rows = _rows(train, int(length[1]) if length else None)
    return Record(
        source="log",
        epochs=of_epochs(epochs | validated),
        steps=steps,
        losses=interval_losses(rows),
        rate=curves.get("optimizer/learning_rate"),
        trained=int(max(v.at[-1] for v in steps.values())) if steps else None,
    )


def _one_log(directory: Path) -> Path:
    """Return the directory that has the run `train`; the newest of several runs."""
    if not directory.is_dir():
        raise ValueError(
            "The log must be a directory that `kol.callbacks.TensorBoard` has written. "
            f"Received: {os.fspath(directory)!r}, which is no directory."
        )
    if directory.name == TRAIN and not (directory / TRAIN).is_dir():
        directory = directory.parent
    later = [d for d in directory.glob("run-*") if (d / TRAIN).is_dir()]
    if later:  # of further trainings into the same directory
        return max(later, key=lambda d: int(re.sub(r"\D", "", d.name) or 0))
    if (directory / TRAIN).is_dir():
        return directory
    below = sorted({p.parent for p in directory.rglob(TRAIN) if p.is_dir()})
    if len(below) == 1:
        return below[0]
    names = ", ".join(repr(os.fspath(p)) for p in below[:5]) or "none"
    raise ValueError(
        "The log must be that of one training. Received: "
        f"{os.fspath(directory)!r}, below which there are {len(below)} logs: {names}. "
        "Pass the `log_dir` of one of them."
    )


def _scalars(run: Path) -> tuple[dict[str, list[tuple[float, float]]], str]:
    """Return the points of each tag in the order of their first value, and texts."""
    points: dict[str, dict[float, float]] = {}
    texts: list[str] = []
    for file in sorted(run.glob("*tfevents*")):
        for event in _events(file):
            # a resumed training replaces the points after its checkpoint
            if event.HasField("session_log") and event.session_log.status == STARTED:
                _drop_from(points, event.step)
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    points.setdefault(value.tag, {})[event.step] = value.simple_value
                elif value.metadata.plugin_data.plugin_name == "text":
                    texts += [
                        x.decode(errors="replace") for x in value.tensor.string_val
                    ]
    return {tag: list(of.items()) for tag, of in points.items()}, "\n".join(texts)


def _drop_from(points: dict[str, dict[float, float]], step: float) -> None:
    """Forget the points at this step and later, as TensorBoard does."""
    for tag, of in points.items():
        if not tag.startswith("epoch/"):
            points[tag] = {at: v for at, v in of.items() if at < step}


def _events(file: Path) -> Iterator[Any]:
    """Yield the events of a file, as far as it was written.

    TensorBoard's own reader imports TensorFlow if that is installed.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
    except ImportError as error:
        raise ImportError(
            "Reading a log directory needs the `tensorboard` package. Run `pip install "
            "tensorboard`, or pass the History or a Monitor to `kol.diagnose`."
        ) from error
    for data in records(file):
        yield Event.FromString(data)


def _rows(
    points: dict[str, list[tuple[float, float]]], length: int | None
) -> list[dict[str, float]]:
    """Return the losses as rows of a `Monitor`; without a length, by step only."""
    rows = [{"step": at, "step/loss": v} for at, v in points.get("step/loss", [])]
    if length is None:
        return []
    for epoch, value in points.get("epoch/loss", []):
        rows.append({"step": (epoch + 1) * length, "epoch/loss": value})
    return sorted(rows, key=lambda row: row["step"])
