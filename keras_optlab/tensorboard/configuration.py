"""The configuration of a training, as Markdown tables and as hyperparameters.

Objects are described from their public attributes and configurations. Serializing the
compiled model would be shorter, but makes Keras import TensorFlow on every backend.
"""

from __future__ import annotations

import html
import inspect
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab._version import __version__
from keras_optlab.core import Declared
from keras_optlab.core.errors import shown
from keras_optlab.engine import find_optimizer
from keras_optlab.engine.backend.keras_adapter import inner_optimizer, schedule_of

LONGEST = 2000  # characters of a value that are shown


def configuration(
    model: keras.Model, optimizer: Any, fit: Mapping[str, Any]
) -> dict[str, str]:
    """Describe a model, its optimizer and how it is trained.

    Arguments that are `None` or empty are left out.

    Args:
        model: the model.
        optimizer: the optimizer that trains it, or `None` if unknown.
        fit: further facts about the training, by name.

    Returns:
        Markdown tables by name: `training`, `optimizer`, `model` and `versions`.
    """
    started = time.strftime("%Y-%m-%d %H:%M:%S %z")
    return {
        "training": _facts({"started": started, **fit, **_compiled(model)}),
        "optimizer": _facts(_optimizer(optimizer)),
        "model": _layers(model),
        "versions": _facts(_versions()),
    }


def hyperparameters(
    optimizer: Any, peak: Callable[[Any], float], driver: str | None = None
) -> dict[str, bool | int | float | str]:
    """Return an optimizer, its learning rate and the schedule, to sort trainings by.

    TensorBoard shows five hyperparameters, and at 1440 pixels no loss beside them.
    Therefore other arguments that are not as by default are in the optimizer's text.

    Args:
        optimizer: the optimizer; `None` gives an empty dict.
        peak: returns the largest value of a schedule.
        driver: class of a callback that drives the learning rate.

    Returns:
        `optimizer`: its class, with arguments. `learning_rate`: a number, of a schedule
        the peak. `schedule`: the schedule's class; without one `driver` or
        `"constant"`.

    >>> from keras_optlab import finders, optimizers, schedules
    >>> adam = optimizers.Adam(schedules.Cosine(0.02, steps=100), beta_1=0.8)
    >>> hyperparameters(adam, finders.schedule_peak.peak_of)
    {'optimizer': 'Adam(beta_1=0.8)', 'learning_rate': 0.02, 'schedule': 'Cosine'}
    """
    if optimizer is None:
        return {}
    facts = _optimizer(optimizer)
    name, _, _ = facts.pop("class"), facts.pop("inside"), facts.pop("name", None)
    rate: Any = facts.pop("learning_rate", None)
    inner = inner_optimizer(optimizer)
    parameters = inspect.signature(type(inner)).parameters
    default = {k: describe(p.default) for k, p in parameters.items()}
    others = {k: v for k, v in facts.items() if describe(v) != default.get(k)}
    text = _call(name, others) if others else name
    values: dict[str, Any] = {"optimizer": text[:LONGEST]}
    if find_optimizer(optimizer) is None and schedule_of(inner) is not None:
        rate = schedule_of(inner)
    if isinstance(rate, LearningRateSchedule):
        return values | {"learning_rate": peak(rate), "schedule": type(rate).__name__}
    if callable(rate):
        now: Any = rate()
        return values | {"learning_rate": float(now), "schedule": describe(rate)}
    if rate is None:  # of a `MultiOptimizer`
        return values
    rate = float(describe(float(rate)))  # as it was before it became a float32
    return values | {"learning_rate": rate, "schedule": driver or "constant"}


def check_hparams(hparams: Any) -> dict[str, bool | int | float | str]:
    """Check hyperparameters that a user adds, and return them as Python values.

    >>> check_hparams({"layers": [128, 10]})
    Traceback (most recent call last):
        ...
    TypeError: `hparams` must hold bools, numbers and strings, by name. Received: ...
    """
    if not isinstance(hparams, Mapping):
        raise TypeError(
            "`hparams` must be a dict of values by name, such as {'batch_size': 128}. "
            f"Received: hparams={shown(hparams)}"
        )
    plain = {
        k: v.item() if isinstance(v, np.generic) else v for k, v in hparams.items()
    }
    for name, value in plain.items():
        if not isinstance(name, str) or not isinstance(value, bool | int | float | str):
            raise TypeError(
                "`hparams` must hold bools, numbers and strings, by name. "
                f"Received: hparams={{{name!r}: {value!r}}}"
            )
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            raise ValueError(
                "`hparams` must hold numbers that a float can hold. "
                f"Received: {name!r}: an integer of {value.bit_length()} bits"
            )
    return plain


def describe(value: Any) -> str:
    """Return an argument as code; objects show their configuration.

    >>> describe([keras.losses.MeanSquaredError(), {"beta_1": 0.9}, len])
    '[MeanSquaredError(name=mean_squared_error, ...), {beta_1: 0.9}, len]'
    """
    if isinstance(value, Mapping):
        if {"class_name", "config"} <= value.keys():  # serialized by Keras
            return _call(value["class_name"], value["config"])
        return f"{{{', '.join(f'{k}: {describe(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(describe, value))}]"
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, Declared):
        return _call(type(value).__name__, {k: getattr(value, k) for k in value.fields})
    if hasattr(value, "get_config"):
        return _call(type(value).__name__, _config(value))
    return getattr(value, "__name__", str(value))


def _call(name: str, config: Any) -> str:
    if not isinstance(config, Mapping):  # the name of a function
        return str(config)
    given = (f"{k}={describe(v)}" for k, v in config.items() if v is not None)
    return f"{name}({', '.join(given)})"


def _config(value: Any) -> dict[str, Any]:
    try:
        return value.get_config()
    except Exception:  # a user's class that cannot be serialized
        return {}


def _optimizer(optimizer: Any) -> dict[str, Any]:
    if optimizer is None:
        return {"class": "unknown: the model's optimizer takes no step"}
    inner = inner_optimizer(optimizer)
    outer = None if inner is optimizer else type(optimizer).__name__
    facts = {"class": type(inner).__name__, "inside": outer}
    ours = find_optimizer(optimizer)
    if ours is None:
        return facts | _config(inner)
    rate = ours.base_learning_rate
    rate = float(rate.numpy()) if isinstance(rate, keras.Variable) else rate
    rest = {k: getattr(ours, k) for k in ours.fields if k != "learning_rate"}
    return {**facts, "learning_rate": rate, **rest}


def _compiled(model: keras.Model) -> dict[str, Any]:
    return {
        "loss": getattr(model, "loss", None),
        "steps_per_execution": model.steps_per_execution,
        "jit_compile": model.jit_compile,
        "run_eagerly": model.run_eagerly,
    }


def _layers(model: keras.Model) -> str:
    rows = [
        (layer.name, type(layer).__name__, _shape(layer), _parameters(layer))
        for layer in model.layers
    ]
    total = (model.name, type(model).__name__, "", _parameters(model))
    name, *rest = map(_cell, total)
    cells = [list(map(_cell, row)) for row in rows]
    return _table(
        ("layer", "type", "output", "parameters"), [*cells, [f"**{name}**", *rest]]
    )


def _parameters(layer: keras.Layer) -> str:
    return f"{layer.count_params():,}" if layer.built else "not built"


def _shape(layer: keras.Layer) -> str:
    try:
        return str(layer.output.shape)
    except (AttributeError, ValueError):  # called more than once, or not symbolically
        return ""


def _versions() -> dict[str, str]:
    backend = keras.backend.backend()
    return {
        "keras_optlab": __version__,
        "keras": keras.__version__,
        backend: getattr(sys.modules.get(backend), "__version__", "unknown"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _facts(facts: Mapping[str, Any]) -> str:
    given = {k: v for k, v in facts.items() if v is not None and not _is_empty(v)}
    rows = [(_name(k), _cell(describe(v))) for k, v in given.items()]
    return _table(("argument", "value"), rows)


def _is_empty(value: Any) -> bool:
    return isinstance(value, list | tuple) and not value


def _name(name: str) -> str:
    """Return a name as code, or escaped if it has characters that code cannot."""
    return f"`{name}`" if re.fullmatch(r"[\w ./:-]+", name) else _cell(name)


# Markdown ignores underscores within words, and brackets that are not a link.
MARKDOWN = re.compile(r"[\\`*|~]|\](?=[(\[:])|(?<![^\W_])_+|_+(?![^\W_])")


def _cell(text: str) -> str:
    """Escape a text so that a cell of a Markdown table shows it unchanged.

    >>> _cell("one | *not* bold <b>")
    'one &#124; &#42;not&#42; bold &lt;b&gt;'
    """
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} ... ({len(text):,} characters)"
    text = MARKDOWN.sub(_entities, html.escape(text, quote=False))
    lines = text.splitlines() or [""]
    return "<br>".join("".join(c for c in line if c.isprintable()) for line in lines)


def _entities(found: re.Match[str]) -> str:
    return "".join(f"&#{ord(c)};" for c in found[0])


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
