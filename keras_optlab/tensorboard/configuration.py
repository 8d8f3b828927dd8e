"""What a training was started with, as a page of Markdown."""

from __future__ import annotations

import platform
import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from keras_optlab._version import __version__


def configuration(model: keras.Model, fit: Mapping[str, Any]) -> str:
    """Describe a compiled model, its optimizer and how it is trained.

    Arguments that are `None` or an empty list are left out.

    Args:
        model: the model, compiled and built.
        fit: further facts about the training, by name.
    """
    compiled = _compile_config(model)
    optimizer = compiled.pop("optimizer", None)
    name = type(model.optimizer).__name__
    started = {"started": time.strftime("%Y-%m-%d %H:%M:%S %z")}
    return "\n\n".join(
        [
            "### Training",
            _facts(started | dict(fit)),
            f"### Optimizer: {name}",
            _facts(optimizer["config"] if isinstance(optimizer, dict) else {}),
            "### Loss and metrics",
            _facts(compiled),
            f"### Model: {model.name}",
            _layers(model),
            "### Versions",
            _facts(_versions()),
        ]
    )


def describe(value: Any) -> str:
    """Write a value of a Keras configuration as code reads.

    >>> rate = {"class_name": "Cosine", "config": {"initial": 0.1, "steps": 9}}
    >>> describe({"learning_rate": rate, "betas": [0.9, 0.99]})
    '{learning_rate: Cosine(initial=0.1, steps=9), betas: [0.9, 0.99]}'
    """
    if isinstance(value, Mapping) and {"class_name", "config"} <= value.keys():
        if value["class_name"] == "__lambda__":
            return "a lambda"
        if not isinstance(value["config"], Mapping):  # a function
            return str(value["config"])
        arguments = (f"{k}={describe(v)}" for k, v in value["config"].items())
        return f"{value['class_name']}({', '.join(arguments)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {describe(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(describe, value))}]"
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _compile_config(model: keras.Model) -> dict[str, Any]:
    with warnings.catch_warnings():  # this is to be read, not to be loaded
        warnings.simplefilter("ignore")
        try:
            return dict(model.get_compile_config())
        except Exception as error:  # of a loss or metric of the user's
            return {"not available": f"{type(error).__name__}: {error}"}


def _layers(model: keras.Model) -> str:
    rows = [
        (layer.name, type(layer).__name__, _shape(layer), f"{layer.count_params():,}")
        for layer in model.layers
    ]
    total = ("**total**", "", "", f"{model.count_params():,}")
    return _table(("layer", "type", "output", "parameters"), [*rows, total])


def _shape(layer: keras.Layer) -> str:
    try:
        return str(layer.output.shape)
    except (AttributeError, ValueError):  # called more than once, or not symbolically
        return ""


def _versions() -> dict[str, str]:
    backend = keras.backend.backend()
    module = sys.modules.get(backend)
    return {
        "keras_optlab": __version__,
        "keras": keras.__version__,
        backend: getattr(module, "__version__", "unknown"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _facts(facts: Mapping[str, Any]) -> str:
    given = {k: describe(v) for k, v in facts.items() if v is not None and v != []}
    return _table(("", ""), [(f"`{k}`", v) for k, v in given.items()])


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |"
        for line in lines
    )
