"""The states of all random generators of a process, to set them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_optlab.engine.backend.modules import copied, torch_module
from keras_optlab.engine.backend.repeatable import random_numbers
from keras_optlab.engine.backend.trainer_adapter import (
    global_seed_generator,
    set_global_seed_generator,
)

States = list[tuple[Callable[[Any], None], Any]]


def generator_states(data: Any = None) -> States:
    """Return setters and states of all random generators.

    These are the generators of Python, NumPy, torch, TensorFlow and Keras, and those
    that are attributes of the data.

    Args:
        data: A PyDataset or a torch DataLoader.
    """
    states = random_numbers() + generators_of_data(data)
    seeds = global_seed_generator()
    states.append((set_global_seed_generator, seeds))
    if seeds is not None:
        states.append((seeds.state.assign, copied(seeds.state)))
    return states + _of_tensorflow()


def set_back(states: States) -> None:
    """Set all generators back to the states that `generator_states` returned."""
    for move, where in states:
        move(where)


def _of_tensorflow() -> States:
    """Return TensorFlow's two generators: of eager operations, and the global one."""
    if keras.backend.backend() != "tensorflow":
        return []
    # Private to TensorFlow: no public function reads either without creating it.
    from tensorflow.python.eager import context
    from tensorflow.python.ops import stateful_random_ops

    states: States = []
    eager = getattr(context.context(), "_rng", None)
    if eager is not None:
        states.append((eager.setstate, eager.getstate()))
    generator = stateful_random_ops.global_generator
    if generator is not None:
        states.append((generator.state.assign, copied(generator.state)))
    return states


def generators_of_data(data: Any) -> States:
    """Return the generators among the attributes of data, its sampler and its parts."""
    states: States = []
    parts = [getattr(data, k, None) for k in ("sampler", "batch_sampler", "dataset")]
    for owner in [data, *parts]:
        for x in vars(owner).values() if hasattr(owner, "__dict__") else ():
            states += _of_generator(x)
    return states


def _of_generator(x: Any) -> States:
    if isinstance(x, np.random.Generator):
        bits: Any = x.bit_generator
        return [(lambda state: setattr(bits, "state", state), bits.state)]
    if isinstance(x, np.random.RandomState):
        return [(x.set_state, x.get_state())]
    if callable(getattr(x, "setstate", None)):  # of Python
        return [(x.setstate, x.getstate())]
    if keras.backend.backend() == "torch" and isinstance(x, torch_module().Generator):
        return [(x.set_state, x.get_state())]
    return []
