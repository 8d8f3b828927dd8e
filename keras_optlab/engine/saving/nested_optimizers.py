"""Saving Keras' optimizers that contain others: only their own variables, by name.

`LossScaleOptimizer` and `MultiOptimizer` save their own variables and those of their
inner optimizers by position, and restore none if the number has changed. A callback
that drove a hyperparameter or a layer that was frozen changes the number, and the loss
scale is lost. Inner optimizers save themselves, so here an outer optimizer saves only
its own variables. State that is read before `build` is kept until then. Outer
optimizers without an inner optimizer of keras_optlab are unchanged.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_optlab.engine.backend.keras_adapter import (
    KerasAdapter,
    inner_optimizer,
    own_variables,
    unbuilt_if_it_fails,
)
from keras_optlab.engine.backend.modules import eager_scope
from keras_optlab.engine.backend.variables import to_numpy

HOLDERS = "LossScaleOptimizer", "MultiOptimizer"  # if Keras has them
WAITING = "_optlab_waiting"  # attribute that Keras neither tracks nor saves
SCALE = "step_counter", "dynamic_scale"  # created in `build`
SMALLEST = 1.0  # loss scale; a smaller value is an inner variable


def patch_keras_wrappers() -> None:
    """Replace the methods of these classes that save, load and build, once."""
    found = [getattr(keras.optimizers, name, None) for name in HOLDERS]
    for cls in [c for c in found if c]:
        for form in save_own_variables, load_own_variables, build:
            _replace(cls, form)


def save_own_variables(optimizer: Any, store: Any) -> None:
    """Write the optimizer's own variables, by name."""
    found = {v.name: to_numpy(v) for v in own_variables(optimizer)}
    for name, value in (vars(optimizer).get(WAITING, {}) | found).items():
        store[name] = value


def load_own_variables(optimizer: Any, store: Any) -> None:
    """Read the optimizer's own variables, now or when they are built."""
    saved = {k: np.asarray(store[k]) for k in store.keys()}  # noqa: SIM118
    if not saved:
        return
    if "0" in saved:  # written by stock Keras
        saved = {n: saved[k] for k, n in zip("01", _names(optimizer), strict=True)} | {
            name: saved[k]
            for k, name in zip("23", SCALE, strict=True)
            if "3" in saved and saved["3"].shape == () and saved["3"] >= SMALLEST
        }
    if hasattr(optimizer, "dynamic_scale"):  # defaults, if saved before `build`
        saved = {"step_counter": 0, "dynamic_scale": optimizer.initial_scale} | saved
    own = {v.name: v for v in own_variables(optimizer)}
    for name, variable in own.items():
        if name in saved:
            variable.assign(saved[name])
    rest = {k: v for k, v in saved.items() if k not in own}
    vars(optimizer)[WAITING] = {} if optimizer.built else rest


def build(optimizer: Any, variables: Any, given: Callable[..., None]) -> None:
    """Build the optimizer and restore pending state; undo a build that fails."""
    with unbuilt_if_it_fails(optimizer):
        inside = inner_optimizer(optimizer)
        if isinstance(
            inside, KerasAdapter
        ):  # first: if it fails, no variable was created
            inside.build(variables)
        given(optimizer, variables)
    waiting = vars(optimizer).pop(WAITING, {})
    with eager_scope():
        for variable in own_variables(optimizer):
            if variable.name in waiting:
                variable.assign(waiting[variable.name])


def _names(optimizer: Any) -> list[str]:
    return [v.name for v in own_variables(optimizer)[:2]]


def _has_inner_optimizer_of_ours(optimizer: Any) -> bool:
    inside = getattr(optimizer, "optimizers", [])
    several = [*inside, inner_optimizer(optimizer)]
    return any(isinstance(x, KerasAdapter) for x in several)


def _replace(cls: type, form: Callable[..., None]) -> None:
    """Replace a method, for instances with an inner optimizer of keras_optlab."""
    given = getattr(cls, form.__name__)
    given = getattr(given, "__wrapped__", given)

    @functools.wraps(given)
    def method(self: Any, argument: Any) -> None:
        if not _has_inner_optimizer_of_ours(self):
            given(self, argument)
        elif form is build:
            build(self, argument, given)
        else:
            form(self, argument)

    setattr(cls, form.__name__, method)
