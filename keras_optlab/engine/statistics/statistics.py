"""Figures of gradients, updates and weights, which a step records for callbacks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_optlab.core.types import Tensor
from keras_optlab.engine.backend.norms import norm

Clippings = list[tuple[list[Tensor], list[Tensor]]]  # tensors before and after each

# Each weight's row of a record. The last two are 0 unless the cosine was requested.
COLUMNS = (
    "gradient",
    "transformed",
    "clipped",
    "update",
    "weight",
    "dead",
    "previous_product",
    "previous",
)
NO_UNITS = -1.0  # as share of dead units


@dataclass(frozen=True)
class LayerStatistics:
    """Euclidean norms and dead units for one weight at one update.

    Attributes:
        gradient_norm: Of the gradient before clipping, with penalties `l1` and `l2`.
        update_norm: Of the change of the weight, without decoupled weight decay.
        weight_norm: Of the weight before the update.
        dead_units: Share of the units, which are the last axis, whose gradient is
            exactly 0, without penalties; `None` for a weight with fewer than two axes.
    """

    gradient_norm: float
    update_norm: float
    weight_norm: float
    dead_units: float | None

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
        gradient_cosine: Of the angle between this gradient and that of the update
            before, both before clipping; `None` if not requested, at the first update,
            and if one of them is 0.
        layers: The norms of each weight, by its path.
    """

    step: int
    gradient_norm: float
    clipped_gradient_norm: float
    update_norm: float
    weight_norm: float
    clipped_fraction: float
    gradient_cosine: float | None
    layers: dict[str, LayerStatistics]

    @classmethod
    def from_table(cls, step: int, table: np.ndarray, paths: list[str]) -> Statistics:
        """Convert a recorded table: a row per weight, a column each of `COLUMNS`."""
        columns = dict(zip(COLUMNS, table.astype("float64").T.tolist(), strict=True))
        norms = (columns[k] for k in ("gradient", "update", "weight"))
        dead = [None if x == NO_UNITS else x for x in columns["dead"]]
        now, before = (math.hypot(*columns[k]) for k in ("gradient", "previous"))
        both = now * before
        return cls(
            step=step,
            gradient_norm=now,
            clipped_gradient_norm=math.hypot(*columns["transformed"]),
            update_norm=math.hypot(*columns["update"]),
            weight_norm=math.hypot(*columns["weight"]),
            clipped_fraction=sum(columns["clipped"]) / len(paths),
            gradient_cosine=sum(columns["previous_product"]) / both if both else None,
            layers=dict(zip(paths, map(LayerStatistics, *norms, dead), strict=True)),
        )


def statistics_columns(
    unpenalized: list[Tensor],
    gradient: list[Tensor],
    transformed: list[Tensor],
    update: list[Tensor],
    weight: list[Tensor],
    clippings: Clippings,
) -> Tensor:
    """Return the table to record: a row per weight, a column each of `COLUMNS[:-2]`."""
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
    dead = ops.stack([dead_units(x) for x in unpenalized])
    return ops.stack([*columns, norms(weight), dead], axis=1)


def dead_units(gradient: Tensor) -> Tensor:
    """Return the share of the last axis whose gradient is 0, or `NO_UNITS`."""
    shape = gradient.shape
    if len(shape) < 2 or 0 in shape:
        return ops.convert_to_tensor(NO_UNITS, "float32")
    alive = ops.any(gradient != 0, axis=tuple(range(len(shape) - 1)))
    return 1 - ops.mean(ops.cast(alive, "float32"))
