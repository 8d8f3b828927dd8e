"""Histograms of the entries of gradients, updates and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.modules import count_each

BINS = 30
HISTOGRAMS = ("gradient", "update", "weight")


@dataclass(frozen=True)
class Histogram:
    """Counts in bins of equal width.

    Attributes:
        low: The smallest entry, where the first bin starts.
        high: The largest entry, where the last bin ends.
        counts: Number of entries in each bin, shape `(BINS,)`.
    """

    low: float
    high: float
    counts: np.ndarray


@dataclass(frozen=True)
class LayerHistograms:
    """The histograms of one weight at one update.

    Attributes:
        gradient: Of the gradient before clipping, with the penalties `l1` and `l2`.
        update: Of the change of the weight, without decoupled weight decay.
        weight: Of the weight before the update.
    """

    gradient: Histogram
    update: Histogram
    weight: Histogram


@dataclass(frozen=True)
class Histograms:
    """The histograms of all weights at one update.

    Attributes:
        step: The update they belong to, counted from 1.
        layers: The histograms of each weight, by its path.
    """

    step: int
    layers: dict[str, LayerHistograms]

    @classmethod
    def from_table(cls, step: int, table: np.ndarray, paths: list[str]) -> Histograms:
        """Convert a recorded table: for each weight, a row for each of `HISTOGRAMS`."""
        layers = {
            path: LayerHistograms(
                *(Histogram(float(x[0]), float(x[1]), x[2:]) for x in rows)
            )
            for path, rows in zip(paths, table, strict=True)
        }
        return cls(step, layers)


def histogram(x: Tensor) -> Tensor:
    """Return the smallest and the largest entry and the counts, as one float32 vector.

    All of them are 0 for an empty tensor and for one with an entry that is not finite.
    """
    x = ops.cast(ops.reshape(x, (-1,)), "float32")
    if 0 in x.shape:
        return ops.zeros((BINS + 2,), "float32")
    finite = ops.all(ops.isfinite(x))
    low, high = ops.min(x), ops.max(x)
    width = (high - low) / BINS
    # A tensor of equal entries has no width; all of them are in the first bin.
    bins = ops.floor((x - low) / ops.where(width > 0, width, 1.0))
    bins = ops.where(finite, ops.clip(bins, 0, BINS - 1), 0.0)
    counts = ops.cast(count_each(ops.cast(bins, "int32"), BINS), "float32")
    ends = ops.stack([low, high])
    return ops.where(finite, ops.concatenate([ends, counts]), 0.0)
