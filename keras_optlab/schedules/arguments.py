"""The kinds of argument that schedules declare."""

from __future__ import annotations

import inspect
from typing import Any

from keras_optlab.core import Hyper

REQUIRED: Any = inspect.Parameter.empty


def rate(doc: str, default: float = REQUIRED, or_schedule: bool = False) -> Any:
    """Declare a value of the schedule: finite, >= 0; perhaps itself a schedule."""
    return Hyper(default=default, doc=doc, within=">= 0", adjustable=or_schedule)


def steps(doc: str) -> Any:
    """Declare a length in updates: an integer > 0."""
    return Hyper(
        default=REQUIRED, doc=f"{doc}, in updates", integer=True, adjustable=False
    )


def share(doc: str, default: float = REQUIRED, within: str = "[0, 1]") -> Any:
    """Declare a share of something else."""
    return Hyper(default=default, doc=doc, within=within, adjustable=False)
