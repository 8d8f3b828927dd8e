"""Checks of arguments that several finders share."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_optlab.core.arguments import number
from keras_optlab.core.errors import shown

MOST_STEPS = 10_000
OF_A_SEARCH = {  # by name: legal range, whether an integer, what it is
    "lowest": ("> 0", False, "lowest value to try"),
    "highest": ("> 0", False, "highest value to try"),
    "steps": (f"[20, {MOST_STEPS}]", True, "updates of a run"),
    "runs": (">= 1", True, "number of runs"),
    "seed": (f"[0, {2**31}]", True, "seed of the order of the batches"),
}
OPTIONAL = "lowest", "highest"  # `None` depends on the optimizer


def candidates(name: str, values: Any, within: str, doc: str) -> list[int]:
    """Check some integers and return them in ascending order, each once."""
    if isinstance(values, str | bytes | dict) or not np.ndim(values):
        raise TypeError(
            f"`{name}` must be a list of integers {within}, the {doc} to try. "
            f"Received: {name}={shown(values)}"
        )
    found = {number(name, x, within, f"{doc} to try", integer=True) for x in values}
    if not found:
        raise ValueError(f"`{name}` must not be empty. Received: {name}={values!r}")
    return sorted(found)


def check_compiled(finder: str, model: Any) -> None:
    """Raise unless a finder can train the model."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"`{finder}` trains a keras.Model. Received: model={shown(model)}"
        )
    if not model.compiled:
        raise ValueError(
            f"`{finder}` trains the model with its own optimizer and loss. Received: "
            "a model that is not compiled. Call `model.compile(...)` first."
        )


def checked(monitor: Any, **numbers: Any) -> dict[str, Any]:
    """Return the arguments of `find_rate`, as Python numbers.

    Raises:
        TypeError: if one is of the wrong type.
        ValueError: if a number is out of range, or the ends are in the wrong order.
    """
    if not isinstance(monitor, str) or not monitor:
        raise TypeError(
            "`monitor` must be the name of a loss in the logs of a step. "
            f"Received: monitor={shown(monitor)}"
        )
    given = {k: _of_a_search(k, value) for k, value in numbers.items()}
    low, high = given["lowest"], given["highest"]
    if low is not None and high is not None and low >= high:
        raise ValueError(
            "`lowest` must be below `highest`. "
            f"Received: lowest={shown(low)}, highest={shown(high)}"
        )
    return given | {"monitor": monitor}


def _of_a_search(name: str, value: Any) -> Any:
    if value is None and name in OPTIONAL:
        return None
    within, integer, doc = OF_A_SEARCH[name]
    return number(name, value, within, doc, integer)
