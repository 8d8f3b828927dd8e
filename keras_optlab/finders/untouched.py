"""Training a model for a while and leaving it as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_optlab.engine.backend.keras_adapter import (
    build_as_fit,
    global_seed,
    inner_optimizer,
    optimizers_of,
)
from keras_optlab.engine.backend.modules import holds_state
from keras_optlab.engine.backend.repeatable import random_numbers
from keras_optlab.engine.backend.state_copies import StateCopies
from keras_optlab.engine.backend.variables import raw
from keras_optlab.engine.model.reachable import reach
from keras_optlab.engine.model.rewind import seen_when_made

# What `fit` sets; `None` stands for an attribute that the model does not have yet.
ATTRIBUTES = "train_function", "history", "stop_training", "steps_per_execution"


@contextlib.contextmanager
def untouched(model: keras.Model) -> Iterator[Callable[[], None]]:
    """Leave a model as it is, whatever `fit` does to it in the context.

    At every exit, by an exception or Ctrl-C too, the same bits are in its weights, in
    the optimizer's state, in metrics and seeds, and in the random generators of Python,
    NumPy, torch and Keras; its compiled train function, `jit_compile`,
    `steps_per_execution` and `history` are those from before. The model should be
    built; variables that are created in the context get their first values again.

    Yields:
        A function that restores the variables and generators at once.
    """
    state = _Variables(model)
    numbers = random_numbers()
    flags = [(vars(x), _flags(x)) for x in _optimizers(model)]
    before = {name: vars(model).get(name) for name in ATTRIBUTES}
    jit_compile = model.jit_compile

    def restore() -> None:
        state.restore()
        for setter, value in numbers:
            setter(value)

    try:
        with seen_when_made(state.add):
            yield restore
    finally:
        model.jit_compile = jit_compile
        for name, value in before.items():
            if value is None and name == "history":
                vars(model).pop(name, None)
            else:
                setattr(model, name, value)
        for owner, values in flags:
            owner.update(values)
        restore()


class _Variables:
    """All variables that a step can write, and numbers in attributes of user classes.

    Args:
        model: A compiled model.
    """

    def __init__(self, model: keras.Model) -> None:
        reached = reach([model])
        variables = [*model.variables, *model.metrics_variables]
        for optimizer in _optimizers(model):
            variables += optimizer.variables
        seed = global_seed()
        variables += [] if seed is None else [seed]
        on_jax = keras.backend.backend() == "jax"
        self._copies = StateCopies(
            variables if on_jax else [*map(raw, variables), *reached.variables]
        )
        self._on_jax = on_jax
        numbers = int, float
        self._attributes = [
            (owner, {k: x for k, x in owner.items() if isinstance(x, numbers)})
            for owner in reached.attributes
        ]

    def add(self, variable: keras.Variable) -> None:
        if self._on_jax or holds_state(raw(variable)):  # it has a value already
            self._copies.add(variable if self._on_jax else raw(variable))

    def restore(self) -> None:
        self._copies.restore()
        for owner, values in self._attributes:
            owner.update({k: x for k, x in values.items() if k in owner})


def _optimizers(model: keras.Model) -> list[Any]:
    """Return the model's optimizers: ours, stock Keras', and those around others."""
    outer = [] if model.optimizer is None else [model.optimizer]
    found = [*outer, *map(inner_optimizer, outer), *optimizers_of(model)]
    return list({id(x): x for x in found}.values())


def _flags(optimizer: Any) -> dict[str, Any]:
    """Return an optimizer's attributes that are flags, such as of warnings given."""
    return {k: x for k, x in vars(optimizer).items() if isinstance(x, bool)}


def build(
    model: keras.Model, batch: Callable[[], Any], fit_arguments: dict[str, Any]
) -> None:
    """Build a model as `fit` would, so that there is a state to return to.

    Args:
        model: A compiled model.
        batch: Returns a batch of its data, with arrays or tensors.
        fit_arguments: The data as arguments of `fit`.
    """

    def arrays() -> Any:
        return keras.tree.map_structure(_as_array, batch())

    try:
        build_as_fit(model, arrays, fit_arguments)
    except (NotImplementedError, RuntimeError, ValueError):
        if keras.backend.backend() != "tensorflow":
            raise
        # `fit` on TensorFlow does not need `call`, with a `train_step` of the model's
        # own; what it creates is noticed when it is made


def _as_array(x: Any) -> Any:
    return x if x is None or keras.ops.is_tensor(x) else np.asarray(x)
