"""The train step of a model whose optimizer needs second passes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras


def with_second_pass(model: Any, train_step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a train step with second passes for the model's optimizer."""
    if keras.backend.backend() == "jax":
        from keras_optlab.engine.model.second_pass_on_jax import run
    else:
        from keras_optlab.engine.model.second_pass_in_place import run
    return partial(run, model, train_step)
