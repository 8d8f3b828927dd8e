"""The states of all random generators as values that can be pickled."""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np

from keras_optlab.engine.backend.generators import generators_of_data
from keras_optlab.engine.backend.repeatable import random_numbers
from keras_optlab.engine.backend.trainer_adapter import (
    global_seed_generator,
    set_global_seed_generator,
)
from keras_optlab.engine.backend.variables import to_numpy

RandomStates = dict[str, list[Any] | Any]


def random_states(data: Any = None) -> RandomStates:
    """Return the states of the generators of Python, NumPy, torch, Keras and the data.

    Args:
        data: A PyDataset or a torch DataLoader whose attributes may be generators.
    """
    seeds = global_seed_generator()
    return {
        "process": [_plain(state) for _, state in _of_process()],
        "data": [_plain(state) for _, state in generators_of_data(data)],
        "keras": None if seeds is None else to_numpy(seeds.state),
    }


def set_random_states(
    states: RandomStates, data: Any = None, process: bool = True
) -> None:
    """Set all generators to the states that `random_states` returned.

    Args:
        states: The result of `random_states`, from this or another process.
        data: The data whose generators to set.
        process: Whether to set the generators of Python, NumPy and torch.
    """
    if process:
        for (move, now), state in zip(_of_process(), states["process"], strict=False):
            move(_like(now, state))
    for (move, now), state in zip(
        generators_of_data(data), states["data"], strict=False
    ):
        move(_like(now, state))
    if states["keras"] is None:
        set_global_seed_generator(None)
        return
    if global_seed_generator() is None:
        set_global_seed_generator(keras.random.SeedGenerator(seed=0))
    global_seed_generator().state.assign(states["keras"])


def _of_process() -> list[Any]:
    """Return setters and states; torch's too if another backend's data use it."""
    found = random_numbers()
    torch: Any = sys.modules.get("torch")
    if keras.backend.backend() != "torch" and hasattr(torch, "get_rng_state"):
        found.append((torch.set_rng_state, torch.get_rng_state()))
    return found


def _plain(state: Any) -> Any:
    return np.array(state.cpu()) if _is_torch(state) else state


def _like(now: Any, state: Any) -> Any:
    return sys.modules["torch"].from_numpy(state.copy()) if _is_torch(now) else state


def _is_torch(x: Any) -> bool:
    return type(x).__module__.partition(".")[0] == "torch"
