"""Checks of the arguments of `fit_full_batch` other than training data and method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from keras_optlab.core.arguments import verbosity
from keras_optlab.core.errors import shown


def check_model(model: Any) -> None:
    """Raise unless `fit_full_batch` can train the model."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"fit_full_batch trains a keras.Model. Received: model={shown(model)}"
        )
    if not model.built:
        raise ValueError(
            "fit_full_batch needs a model with weights. Received: a model that is not "
            "built. Give it a `keras.Input`, or call it on some data."
        )
    if not model.compiled:
        raise ValueError(
            "fit_full_batch needs a loss. Received: a model that is not compiled. "
            'Call `model.compile(loss="mse")` or similar.'
        )
    if not model.trainable_variables:
        raise ValueError(
            "fit_full_batch needs trainable weights. Received: a model without any. "
            "Set `trainable = True` on a layer."
        )
    held = [v.path for v in model.trainable_variables if getattr(v, "constraint", None)]
    if held:
        raise ValueError(
            "fit_full_batch does not support constraints on weights. "
            f"Received: constraints on {', '.join(held)}. Use `fit`."
        )


def as_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Return callbacks as a list; a single callback is allowed."""
    alone = callbacks is None or isinstance(callbacks, keras.callbacks.Callback)
    found = [callbacks] if alone else callbacks
    if not isinstance(found, list | tuple):
        raise TypeError(
            "`callbacks` must be a list of keras.callbacks.Callback. "
            f"Received: callbacks={shown(callbacks)}"
        )
    given = [x for x in found if x is not None]
    for one in given:
        if not isinstance(one, keras.callbacks.Callback):
            raise TypeError(
                "`callbacks` must contain only keras.callbacks.Callback. "
                f"Received: callbacks={shown(callbacks)}"
            )
    return given


def as_verbosity(verbose: Any) -> int | str:
    """Return 0, 1, 2 or "auto"."""
    return (
        verbose
        if isinstance(verbose, str) and verbose == "auto"
        else verbosity(verbose)
    )


def check_validation(data: Any) -> None:
    """Raise unless the data are `None`, `(x, y)` or `(x, y, sample_weight)`."""
    if data is None or (isinstance(data, tuple | list) and len(data) in (2, 3)):
        return
    raise TypeError(
        "`validation_data` must be (x, y) or (x, y, sample_weight). "
        f"Received: validation_data={shown(data)}"
    )


def check_options(options: Any) -> None:
    """Raise unless the options are a dict with string keys."""
    if options is None or (
        isinstance(options, Mapping) and all(isinstance(k, str) for k in options)
    ):
        return
    raise TypeError(
        "`options` must be a dict of SciPy's options by name, such as "
        f"{{'maxcor': 20}}. Received: options={shown(options)}"
    )
