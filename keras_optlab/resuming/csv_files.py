"""Rows of Keras' `CSVLogger` for epochs that are trained again."""

from __future__ import annotations

import contextlib
import csv
import os

import keras


def go_on_writing(logger: keras.callbacks.CSVLogger, epoch: int) -> None:
    """Have a `CSVLogger` append to its file, without the rows from `epoch` on.

    Call it before the logger's `on_train_begin`, which opens the file.
    """
    logger.append = True
    if not os.path.exists(logger.filename):
        return
    with open(logger.filename, newline="") as file:
        rows = list(csv.reader(file, delimiter=logger.sep))
    kept = [row for i, row in enumerate(rows) if i == 0 or _is_before(row, epoch)]
    if len(kept) == len(rows):
        return
    beside = f"{logger.filename}.writing"
    with open(beside, "w", newline="") as file:
        csv.writer(file, delimiter=logger.sep).writerows(kept)
    os.replace(beside, logger.filename)


def _is_before(row: list[str], epoch: int) -> bool:
    with contextlib.suppress(ValueError, IndexError):
        return int(row[0]) < epoch
    return False  # half a row
