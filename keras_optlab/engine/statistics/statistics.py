"""Norms of gradients, updates and weights, which a step records for callbacks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.norms import norm

Clippings = list[tuple[list[Tensor], list[Tensor]]]  # tensors before and after each

COLUMNS = ("gradient", "transformed", "clipped", "update", "weight")


@dataclass(frozen=True)
class LayerStatistics:
    """Euclidean norms for one weight at one update.

    Attributes:
        gradient_norm: Of the gradient before clipping, with penalties `l1` and `l2`.
        update_norm: Of the change of the weight, without decoupled weight decay.
        weight_norm: Of the weight before the update.
    """

    gradient_norm: float
    update_norm: float
    weight_norm: float

    @property
    def update_ratio(self) -> float:
        """Norm of the update over the norm of the weight; NaN for a zero weight."""
        return self.update_norm / self.weight_norm if self.weight_norm else math.nan


@dataclass(frozen=True)
class Statistics:
    """Euclidean norms over all weights at one update.

    Attributes:
        step: The update they belong to, counted from 1.
        gradient_norm: Of the gradient before clipping, with penalties `l1` and `l2`.
        clipped_gradient_norm: Of the gradient that the rule received.
        update_norm: Of the change of the weights, without decoupled weight decay.
        weight_norm: Of the weights before the update.
        clipped_fraction: Fraction of the tensors whose norm a clipping reduced.
        layers: The same for each weight, by its path.
    """

    step: int
    gradient_norm: float
    clipped_gradient_norm: float
    update_norm: float
    weight_norm: float
    clipped_fraction: float
    layers: dict[str, LayerStatistics]

    @classmethod
    def from_table(cls, step: int, table: np.ndarray, paths: list[str]) -> Statistics:
        """Convert a recorded table: a row per weight, a column each of `COLUMNS`."""
        columns = dict(zip(COLUMNS, table.astype("float64").T.tolist(), strict=True))
        norms = (columns[k] for k in ("gradient", "update", "weight"))
        return cls(
            step=step,
            gradient_norm=math.hypot(*columns["gradient"]),
            clipped_gradient_norm=math.hypot(*columns["transformed"]),
            update_norm=math.hypot(*columns["update"]),
            weight_norm=math.hypot(*columns["weight"]),
            clipped_fraction=sum(columns["clipped"]) / len(paths),
            layers=dict(zip(paths, map(LayerStatistics, *norms), strict=True)),
        )


def statistics_columns(
    gradient: list[Tensor],
    transformed: list[Tensor],
    update: list[Tensor],
    weight: list[Tensor],
    clippings: Clippings,
) -> Tensor:
    """Return the table to record: a row per weight, a column per name in `COLUMNS`."""
    known: dict[int, Tensor] = {}  # norms by tensor: some stages change nothing

    def norms(xs: list[Tensor]) -> Tensor:
        for x in xs:
            if id(x) not in known:
                known[id(x)] = ops.cast(norm(x), "float32")
        return ops.stack([known[id(x)] for x in xs])

    clipped = ops.zeros((len(gradient),), "float32")
    for before, after in clippings:
        shorter = norms(after) < norms(before) * (1 - 1e-5)  # by more than rounding
        clipped = ops.maximum(clipped, ops.cast(shorter, "float32"))
    columns = [norms(gradient), norms(transformed), clipped, norms(update)]
    return ops.stack([*columns, norms(weight)], axis=1)
