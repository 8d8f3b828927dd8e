"""What callbacks may ask of a step: norms of gradients, updates and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from keras_optlab.core.numerics import norm

Tensor = Any

COLUMNS = ("gradient", "transformed", "clipped", "update", "weight")


@dataclass(frozen=True)
class LayerStatistics:
    """Euclidean norms for one weight at one update.

    Attributes:
        gradient_norm: Of the gradient as it came, with the penalties `l1` and `l2`.
        update_norm: Of the rule's change of the weight, without decoupled decay.
        weight_norm: Of the weight before the update.
    """

    gradient_norm: float
    update_norm: float
    weight_norm: float

    @property
    def update_ratio(self) -> float:
        """Size of the update over that of the weight; NaN for a zero weight."""
        return self.update_norm / self.weight_norm if self.weight_norm else np.nan


@dataclass(frozen=True)
class Statistics:
    """Euclidean norms over all weights at one update.

    Attributes:
        step: The update they belong to, counted from 1.
        gradient_norm: Of the gradient as it came, with the penalties `l1` and `l2`.
        clipped_gradient_norm: Of the gradient that the rule received.
        update_norm: Of the rule's change of the weights, without decoupled decay.
        weight_norm: Of the weights before the update.
        clipped_fraction: Fraction of the tensors that a clipping transform shortened.
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
        """Read what a step recorded: a row a weight, a column each of `COLUMNS`."""
        columns = dict(zip(COLUMNS, table.astype("float64").T, strict=True))
        rows = zip(
            paths,
            columns["gradient"],
            columns["update"],
            columns["weight"],
            strict=True,
        )
        return cls(
            step=step,
            gradient_norm=float(np.linalg.norm(columns["gradient"])),
            clipped_gradient_norm=float(np.linalg.norm(columns["transformed"])),
            update_norm=float(np.linalg.norm(columns["update"])),
            weight_norm=float(np.linalg.norm(columns["weight"])),
            clipped_fraction=float(columns["clipped"].mean()),
            layers={
                path: LayerStatistics(float(g), float(u), float(w))
                for path, g, u, w in rows
            },
        )


def norms(xs: list[Tensor]) -> Tensor:
    """Return the norm of each tensor as one float32 vector."""
    return ops.stack([ops.cast(norm(x), "float32") for x in xs])


def clipped_tensors(
    clippings: list[tuple[list[Tensor], list[Tensor]]], count: int
) -> Tensor:
    """Return 1 for each tensor that any clipping shortened by more than rounding."""
    clipped = ops.zeros((count,), "float32")
    for before, after in clippings:
        shorter = norms(after) < norms(before) * (1 - 1e-5)
        clipped = ops.maximum(clipped, ops.cast(shorter, "float32"))
    return clipped
