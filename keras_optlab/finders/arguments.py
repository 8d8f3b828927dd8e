"""Checks of the arguments of `find_rate`, which `RateFinder` makes at construction."""

from __future__ import annotations

from typing import Any

from keras_optlab.core.errors import shown
from keras_optlab.core.fields import HyperField

MOST_STEPS = 10_000
NUMBERS = {  # by name: legal range, whether an integer, what it is
    "lowest": ("> 0", False, "lowest value to try"),
    "highest": ("> 0", False, "highest value to try"),
    "steps": (f"[20, {MOST_STEPS}]", True, "updates of a run"),
    "runs": (">= 1", True, "number of runs"),
    "seed": (f"[0, {2**31}]", True, "seed of the order of the batches"),
}
OPTIONAL = "lowest", "highest"  # `None` depends on the optimizer


def checked(monitor: Any, **numbers: Any) -> dict[str, Any]:
    """Return the arguments of a search, as Python numbers.

    Raises:
        TypeError: if one is of the wrong type.
        ValueError: if a number is out of range, or the ends are in the wrong order.
    """
    if not isinstance(monitor, str) or not monitor:
        raise TypeError(
            "`monitor` must be the name of a loss in the logs of a step. "
            f"Received: monitor={shown(monitor)}"
        )
    given = {k: _number(k, value) for k, value in numbers.items()}
    low, high = given["lowest"], given["highest"]
    if low is not None and high is not None and low >= high:
        raise ValueError(
            "`lowest` must be below `highest`. "
            f"Received: lowest={low!r}, highest={high!r}"
        )
    return given | {"monitor": monitor}


def _number(name: str, value: Any) -> Any:
    if value is None and name in OPTIONAL:
        return None
    within, integer, doc = NUMBERS[name]
    field = HyperField(within, adjustable=False, integer=integer, default=1, doc=doc)
    field.name = name
    return field.validate(value)
