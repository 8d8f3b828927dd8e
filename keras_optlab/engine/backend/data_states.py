"""The state of a data set that its user has written, such as a shuffled index."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

SCALARS = bool, int, float, complex, str, bytes, type(None), np.generic


def data_state(data: Any) -> Any:
    """Return the state of a PyDataset or DataLoader, to be pickled.

    This is the result of its method `get_state`, if it has one. Else it is its
    attributes that are numbers, strings, vectors of integers, or lists of these.

    Args:
        data: The data set; `None` has no state.
    """
    if hasattr(data, "get_state"):
        return data.get_state()
    attributes = getattr(data, "__dict__", {})
    return {k: copy.copy(x) for k, x in attributes.items() if _is_state(x)}


def set_data_state(data: Any, state: Any) -> None:
    """Set the state that `data_state` returned."""
    if hasattr(data, "get_state"):
        data.set_state(state)
    elif data is not None:
        vars(data).update({k: copy.copy(x) for k, x in state.items()})


def _is_state(x: Any) -> bool:
    if isinstance(x, np.ndarray):
        return x.ndim == 1 and x.dtype.kind in "iu"
    if isinstance(x, list | tuple):
        return all(isinstance(y, SCALARS) for y in x)
    return isinstance(x, SCALARS)
