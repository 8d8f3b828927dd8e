"""Evaluating a model in the middle of its training, which goes on as if nothing was.

`evaluate` resets the metrics, and a forward pass may change the state of layers. Data
may draw random numbers; on torch each pass over arrays does. torch's layers are
switched to inference. JAX' trainer takes the values out of the variables, and does not
return them after an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import ops

from keras_optlab.core.types import Tensor, Variable
from keras_optlab.engine.backend.keras_adapter import (
    averages_of,
    is_purged,
    raw_value,
    state_variables,
)
from keras_optlab.engine.backend.repeatable import replayed_random_numbers
from keras_optlab.engine.backend.trainer_adapter import (
    forget_trainer_state,
    trainer_state_renewed,
)
from keras_optlab.engine.backend.variables import read
from keras_optlab.engine.model.hooks import at_evaluation_weights


@contextlib.contextmanager
def undisturbed(
    model: Any, averages: bool = False, random_numbers: bool = True
) -> Iterator[None]:
    """Have the weights for evaluation; at exit, restore all state of the training.

    Args:
        model: The model that trains. On JAX its variables must hold the state.
        averages: Whether to have the averages of `use_ema=True` as weights.
        random_numbers: Whether to restore the random generators of Python, NumPy and
            torch. Otherwise they go on: another thread may draw the batches that the
            model trains on, and would draw the same numbers twice.
    """
    state = [*model.metrics_variables, *state_variables(model)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(trainer_state_renewed(model))
        if random_numbers:
            stack.enter_context(replayed_random_numbers([]))
        stack.enter_context(_modes_kept(model))
        stack.enter_context(_values_kept(state))
        stack.enter_context(at_evaluation_weights(model))
        if averages:
            stack.enter_context(_averages_as_weights(model.optimizer))
        stack.enter_context(_values_survive(model))
        yield


@contextlib.contextmanager
def state_untouched(model: Any) -> Iterator[None]:
    """Restore at exit what a forward pass changes, and the random generators.

    Within it the model has the weights that it trains, unlike in `undisturbed`.
    """
    state = [*model.metrics_variables, *state_variables(model)]
    with replayed_random_numbers([]), _modes_kept(model), _values_kept(state):
        yield


@contextlib.contextmanager
def _modes_kept(model: Any) -> Iterator[None]:
    """Restore which layers are in torch's training mode."""
    if keras.backend.backend() != "torch":
        yield
        return
    modes = {id(m): m.training for m in model.modules()}
    try:
        yield
    finally:
        for module in model.modules():  # Keras may have made some anew
            module.training = modes.get(id(module), modes[id(model)])


@contextlib.contextmanager
def _values_kept(variables: Sequence[Variable]) -> Iterator[None]:
    before = [_copy(v) for v in variables]
    try:
        yield
    finally:
        for variable, x in zip(variables, before, strict=True):
            variable.assign(x)


@contextlib.contextmanager
def _averages_as_weights(optimizer: Any) -> Iterator[None]:
    pairs = averages_of(optimizer) or []
    with _values_kept([weight for weight, _ in pairs]):
        for weight, average in pairs:
            weight.assign(_copy(average))
        yield


@contextlib.contextmanager
def _values_survive(model: Any) -> Iterator[None]:
    """Give the variables their values after an error in which JAX' trainer has them."""
    if keras.backend.backend() != "jax":
        yield
        return
    forget_trainer_state(model)
    variables = [*model.variables, *model.metrics_variables]
    before = [raw_value(v) for v in variables]
    try:
        yield
    except BaseException:
        model.jax_state_sync()  # after the first batch: the trainer's newest values
        for variable, x in zip(variables, before, strict=True):
            if is_purged(variable):
                variable.assign(x)
        raise


def _copy(variable: Variable) -> Tensor:
    """Return the value as a tensor that later steps neither change nor donate."""
    x = read(variable)
    if keras.backend.backend() == "tensorflow":
        return x
    return ops.copy(ops.stop_gradient(x))
