"""What all backends share: our optimizers, their twins in Keras, and the floor."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

import keras_optlab as kol

Step = Callable[[], int]
Shapes = list[tuple[int, ...]]

ARGUMENTS: dict[str, dict[str, Any]] = {"sgd": {"momentum": 0.9}}


def ours(name: str, **options: Any) -> Any:
    """Return our optimizer."""
    return kol.optimizers.create(name, **ARGUMENTS.get(name, {}), **options)


def twin(name: str) -> Any:
    """Return its twin in Keras, or `None`."""
    twin = kol.optimizers.info(name).keras_twin
    return twin and getattr(keras.optimizers, twin)(**ARGUMENTS.get(name, {}))


def arrays(shapes: Shapes, seed: int) -> list[np.ndarray]:
    """Return values for weights or gradients, of one's own."""
    return [x.copy() for x in drawn(tuple(shapes), seed)]


@functools.lru_cache(2)
def drawn(shapes: tuple[tuple[int, ...], ...], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def passes(name: str) -> int:
    """Return how often an update must go over memory: g, and w and the slots twice."""
    optimizer = ours(name)
    optimizer.build([keras.Variable(np.zeros((2, 2), "float32"), name="w")])
    return 1 + 2 * (1 + len(optimizer.plan.parameters[0].slots))


def copying(name: str, shapes: Shapes) -> Callable[[], Step]:
    """Return a copy that moves as many bytes as an update must, on all cores."""

    def start() -> Step:
        entries = sum(int(np.prod(shape)) for shape in shapes) * passes(name) // 2
        cores = os.cpu_count() or 1
        source, target = np.ones(entries, "float32"), np.zeros(entries, "float32")
        parts = list(
            zip(*(np.array_split(x, cores) for x in (source, target)), strict=True)
        )
        pool = ThreadPoolExecutor(cores)

        def step() -> int:
            list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))
            return 1

        step()
        return step

    return start
