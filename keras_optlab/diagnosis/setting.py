"""What a compiled model says of its optimizer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops

from keras_optlab.engine import CLIPPINGS, find_optimizer
from keras_optlab.engine.backend.keras_adapter import (
    KerasAdapter,
    inner_optimizer,
    schedule_of,
)

POINTS = 200  # of a schedule that is evaluated
AHEAD = np.unique(np.geomspace(1, 1e6, 40).astype(int))  # updates to look ahead


@dataclass(frozen=True)
class Setting:
    """What a diagnosis reads of an optimizer and its weights.

    Attributes:
        optimizer: Name of its class.
        ours: Whether it is one of this package.
        updates: Number of updates so far.
        rate: The rate at present, without the scale that callbacks set.
        scheduled: Whether it follows a schedule.
        peak: The largest rate that a schedule still comes to.
        clips: The limit of each clipping that is on, by the name of the argument.
        weight_decay: The largest factor λ of decoupled weight decay on a vector.
        decayed_vectors: Paths of biases and parameters of normalization that decay.
        vectors: Paths of all weights with less than two axes.
        loss_scale: The present factor on the loss, of a `LossScaleOptimizer`.
        first_loss_scale: The factor with which it has begun.
    """

    optimizer: str
    ours: bool
    updates: int
    rate: float | None = None
    scheduled: bool = False
    peak: float = 0.0
    clips: dict[str, float] = field(default_factory=dict)
    weight_decay: float = 0.0
    decayed_vectors: tuple[str, ...] = ()
    vectors: frozenset[str] = frozenset()
    loss_scale: float | None = None
    first_loss_scale: float | None = None


def setting_of(model: Any) -> Setting | None:
    """Return what the model's optimizer is; `None` if it has none, or several."""
    outer = getattr(model, "optimizer", None)
    optimizer = inner_optimizer(outer)
    if optimizer is None or hasattr(optimizer, "optimizers"):
        return None
    ours = find_optimizer(optimizer)
    weights = model.trainable_variables
    vectors = {path_of(v, model): v for v in weights if len(v.shape) < 2}
    decayed = _decays_of(optimizer, ours, weights)
    return Setting(
        optimizer=type(optimizer).__name__,
        ours=ours is not None,
        updates=updates_of(optimizer),
        rate=_number(getattr(optimizer, "learning_rate", None)),
        scheduled=schedule_of(optimizer) is not None,
        peak=max(_scheduled(optimizer, updates_of(optimizer) + AHEAD), default=0.0),
        clips={
            name: limit
            for name in CLIPPINGS
            if (limit := _number(getattr(optimizer, name, None))) is not None
        },
        weight_decay=max((decayed[id(v)] for v in vectors.values()), default=0.0),
        decayed_vectors=tuple(k for k, v in vectors.items() if decayed[id(v)]),
        vectors=frozenset(vectors),
        loss_scale=_number(getattr(outer, "dynamic_scale", None)),
        first_loss_scale=_number(getattr(outer, "initial_scale", None)),
    )


def _decays_of(optimizer: Any, ours: Any, weights: list[Any]) -> dict[int, float]:
    """Return the factor of decoupled weight decay on each weight, by its `id`."""
    if ours is None or not ours.built:
        factor = _number(getattr(optimizer, "weight_decay", None)) or 0.0
        decays: Any = KerasAdapter.decays  # reads what every Keras optimizer has
        return {id(v): factor * decays(optimizer, v) for v in weights}
    found = dict.fromkeys(map(id, weights), 0.0)
    for p in ours.plan.parameters:
        if p.regularized:
            values = ours.values_of(p.group)
            found[id(p.variable)] = _number(values.weight_decay) or 0.0
    return found


def updates_of(optimizer: Any) -> int:
    """Return the number of updates that any optimizer has made."""
    ours = find_optimizer(optimizer)
    steps = optimizer.iterations if ours is None else ours.updates
    return int(ops.convert_to_numpy(steps))


def path_of(variable: Any, model: Any) -> str:
    """Return a weight's path in the model, as tags have it."""
    return variable.path.removeprefix(f"{model.name}/")


def schedule_points(model: Any) -> list[tuple[float, float]]:
    """Return the rates of the updates so far, by the schedule of any optimizer.

    A rate without a schedule gives no points: it may have been set by hand.
    """
    optimizer = inner_optimizer(getattr(model, "optimizer", None))
    if optimizer is None or hasattr(optimizer, "optimizers"):
        return []
    last = max(updates_of(optimizer) - 1, 0)
    steps = np.unique(np.linspace(0, last, POINTS).astype(int))
    rates = _scheduled(optimizer, steps)
    return [
        (step + 1.0, rate) for step, rate in zip(steps.tolist(), rates, strict=False)
    ]


def _scheduled(optimizer: Any, steps: np.ndarray) -> list[float]:
    """Return the rates by the schedule of an optimizer; `[]` if it has none."""
    schedule, ours = schedule_of(optimizer), find_optimizer(optimizer)
    if schedule is None:
        return []
    values = (
        schedule(step) if ours is None else ours.moment(step).value(schedule)
        for step in steps.tolist()
    )
    return [float(ops.convert_to_numpy(v)) for v in values]


def _number(x: Any) -> float | None:
    """Return a number or a scalar variable as a float; `None` of anything else."""
    if x is None or isinstance(x, str):
        return None
    try:
        array = np.asarray(ops.convert_to_numpy(x), "float64")
    except (TypeError, ValueError):
        return None
    return float(array) if array.ndim == 0 else None
