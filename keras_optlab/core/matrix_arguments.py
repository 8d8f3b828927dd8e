"""Arguments that choose which weights are matrices, and their effect on a weight."""

from __future__ import annotations

from typing import Any

from keras_optlab.core.axes import Matrices, last_is_output
from keras_optlab.core.errors import shown
from keras_optlab.core.fields import Choice, Flag, Option
from keras_optlab.core.patterns import check_patterns
from keras_optlab.core.slots import Weight


def WhichMatrices(default: str = "layers") -> Any:
    """Return the declaration of the argument `matrices`."""
    return Choice(
        default=default, choices=("keras", "layers"), doc="which weights are matrices"
    )


def PerHead() -> Any:
    """Return the declaration of the argument `per_head`."""
    return Flag(default=False, by_group=True, doc="a matrix for each head")


def ExcludeLayers() -> Any:
    """Return the declaration of the argument `exclude_layers`."""
    return Option(
        default=None, check=check_excluded, doc="layers that take AdamW's step"
    )


def check_excluded(value: Any) -> tuple[str, ...]:
    """Return one or several regular expressions as a tuple; none for `None`.

    Raises:
        TypeError: if it is neither a string nor a list of strings.
        ValueError: if one is no valid regular expression.
    """
    patterns = [value] if isinstance(value, str) else value
    if patterns is None:
        return ()
    if not isinstance(patterns, list | tuple):
        raise TypeError(
            "expected a list of regular expressions. "
            f"Received: exclude_layers={shown(value)}"
        )
    return check_patterns("exclude_layers", patterns, value)


def chosen_matrices(weight: Weight) -> Matrices | None:
    """Return a weight's matrices as `matrices`, `axes` and `per_head` choose them."""
    values, found = weight.values, weight.matrices
    if values.axes != "layer":
        return found
    if values.matrices == "keras":
        return last_is_output(weight.shape) if len(weight.shape) == 2 else None
    return found.per_head() if found and values.per_head else found


def is_embedding(weight: Weight) -> bool:
    """Return whether a weight is an embedding, by its layer or its path."""
    found = weight.matrices
    by_layer = found is not None and found.role == "embedding"
    return by_layer or "embedding" in weight.path.lower()
