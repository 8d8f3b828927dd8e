"""All values that determine how a training goes on, as arrays and plain numbers.

These are the variables of the model, its metrics and its optimizers, variables and
numbers in the user's objects that the model refers to, and what this package's
optimizers keep beside their variables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_optlab.core.types import Variable
from keras_optlab.engine.backend.keras_adapter import inner_optimizer, trained_by
from keras_optlab.engine.backend.modules import holds_state, torch_module
from keras_optlab.engine.backend.state_copies import write_value
from keras_optlab.engine.backend.trainer_adapter import forever, symbolic_build
from keras_optlab.engine.backend.variables import has_value, raw, to_numpy
from keras_optlab.engine.model.reachable import Reached, numbers_in, reach

WEIGHTS, METRICS, OTHERS = "weights", "metrics", "other variables"
FLAGS = "warned_of_end", "_warned_of_averages"
NOT_STATE = {"_initial_epoch"}  # of a model: where the present `fit` began
Layout = dict[str, list[tuple[str, tuple[int, ...], str]]]


@dataclass
class TrainingState:
    """The state of a training, to be pickled.

    Attributes:
        arrays: The values of all variables, by kind.
        layout: Path, shape and type of each variable, by kind.
        optimizers: The configuration of each optimizer, and what it keeps beside
            variables.
        numbers: Numbers and arrays in attributes of the user's objects.
    """

    arrays: dict[str, list[np.ndarray]]
    layout: Layout
    optimizers: list[dict[str, Any]]
    numbers: list[dict[str, Any]]


def read_state(model: Any, configs: list[dict[str, Any]]) -> TrainingState:
    """Return the state of a model in training.

    Args:
        model: The model. On JAX its variables must hold the state.
        configs: The configurations of its optimizers before the training.
    """
    reached = reach([model])
    variables = _variables(model, reached)
    position = {id(v): i for i, v in enumerate(model.variables)}
    return TrainingState(
        {kind: [to_numpy(v) for v in found] for kind, found in variables.items()},
        {kind: [_entry(v) for v in found] for kind, found in variables.items()},
        [
            {**_described(x, position), "config": config}
            for x, config in zip(_optimizers(model, reached), configs, strict=True)
        ],
        [_plain(numbers_in(x)) for x in reached.attributes],
    )


def build_for(model: Any, state: TrainingState, example: Callable[[], Any]) -> None:
    """Create the variables that the model had when the state was read.

    Args:
        model: A compiled model.
        state: The state to be written.
        example: Returns a batch, of which shapes and types are used.
    """
    now = layout_of(model)
    fewer = [k for k in (WEIGHTS, METRICS) if len(now[k]) < len(state.layout[k])]
    if fewer and keras.backend.backend() != "jax":  # there `fit` has built it
        if type(model).train_step is keras.Model.train_step:
            symbolic_build(model, example())
        else:  # only the step itself creates them all, and all values are replaced
            model.train_function(forever(example()))
    optimizers = _optimizers(model, reach([model]))
    for one, saved in zip(optimizers, state.optimizers, strict=False):
        if not one.built and saved["trains"] is not None:
            one.build([model.variables[i] for i in saved["trains"]])


def write_state(model: Any, state: TrainingState) -> None:
    """Write a state that was read from this model, or from one like it."""
    reached = reach([model])
    for kind, found in _variables(model, reached).items():
        for variable, x in zip(found, state.arrays[kind], strict=True):
            write_value(variable, _like(variable, x))
    for one, saved in zip(_optimizers(model, reached), state.optimizers, strict=True):
        _set_attributes(inner_optimizer(one), saved)
    for owner, numbers in zip(reached.attributes, state.numbers, strict=False):
        _set_numbers(owner, numbers)


def layout_of(model: Any) -> Layout:
    """Return path, shape and type of each variable, by kind."""
    found = _variables(model, reach([model]))
    return {kind: [_entry(v) for v in variables] for kind, variables in found.items()}


def optimizer_configs(model: Any) -> list[dict[str, Any]]:
    """Return class and configuration of each optimizer, without its name."""
    return [_config(x) for x in _optimizers(model, reach([model]))]


def _variables(model: Any, reached: Reached) -> dict[str, list[Variable]]:
    found = {WEIGHTS: list(model.variables), METRICS: list(model.metrics_variables)}
    for i, one in enumerate(_optimizers(model, reached)):
        found[f"optimizer {i}"] = list(one.variables)
    found[OTHERS] = list(reached.variables)
    seen: set[int] = set()
    for kind, variables in found.items():
        new = [v for v in variables if id(_key(v)) not in seen and has_value(v)]
        seen |= {id(_key(v)) for v in new}
        found[kind] = new
    return found


def _key(variable: Variable) -> Any:
    on_jax = keras.backend.backend() == "jax"  # a new array after each step
    return variable if on_jax else raw(variable)


def _optimizers(model: Any, reached: Reached) -> list[Any]:
    found = [getattr(model, "optimizer", None), *reversed(reached.optimizers)]
    inner = [inner_optimizer(x) for x in found if inner_optimizer(x) is not x]
    unique = {id(x): x for x in found if x is not None and not _is_in(x, inner)}
    return list(unique.values())


def _is_in(x: Any, objects: Sequence[Any]) -> bool:
    return any(x is y for y in objects)


def _entry(variable: Variable) -> tuple[str, tuple[int, ...], str]:
    name = getattr(variable, "path", getattr(variable, "name", "")) or ""
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return str(name), tuple(variable.shape), dtype


def _described(optimizer: Any, position: dict[int, int]) -> dict[str, Any]:
    inner = inner_optimizer(optimizer)
    trained = [position.get(id(v)) for v in trained_by(inner)]
    ours = hasattr(inner, "training_span")
    return {
        "trains": None if None in trained or not trained else trained,
        "flags": {k: vars(inner)[k] for k in FLAGS if k in vars(inner)},
        "by_hand": inner.training_span.by_hand if ours else None,
    }


def _config(optimizer: Any) -> dict[str, Any]:
    config = keras.saving.serialize_keras_object(optimizer)["config"]
    return {"class": type(inner_optimizer(optimizer)).__name__, **_flat(config)}


def _flat(config: Any, before: str = "") -> dict[str, Any]:
    """Return the entries of nested configurations by dotted names, without names.

    Keras numbers the names of optimizers, so they differ in another process.
    """
    if not isinstance(config, dict) or not config:
        return {before: config}
    if "class_name" in config and "config" in config:
        config = {"class": config["class_name"], **(config["config"] or {})}
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if name != "name":
            flat |= _flat(value, f"{before}.{name}".removeprefix("."))
    return flat


def _set_attributes(optimizer: Any, saved: dict[str, Any]) -> None:
    if saved["by_hand"] is None:
        return
    vars(optimizer).update(saved["flags"])
    optimizer.training_span.by_hand = saved["by_hand"]
    if optimizer.built:
        optimizer.plan.waiting.clear()  # all slots have their saved values


def _plain(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return numbers and arrays; the variables contain those that hold state."""
    return {
        k: np.array(to_numpy(x)) if keras.ops.is_tensor(x) else x
        for k, x in numbers.items()
        if k not in NOT_STATE and not holds_state(x)
    }


def _set_numbers(owner: dict[str, Any], numbers: dict[str, Any]) -> None:
    for name, x in numbers.items():
        if name in owner:
            is_tensor = keras.ops.is_tensor(owner[name])
            owner[name] = keras.ops.convert_to_tensor(x) if is_tensor else x


def _like(variable: Variable, x: np.ndarray) -> Any:
    """Return an array as torch's tensors take it."""
    if keras.backend.backend() == "torch" and not isinstance(variable, keras.Variable):
        return torch_module().from_numpy(x.copy())
    return x
