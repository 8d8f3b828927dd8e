"""Checks of the arguments of `judge`."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_optlab.core.errors import shown
from keras_optlab.lab.statistics.measures import Measure


def check_arguments(
    scores: Any, measure: Any, reruns: Any, *, margin: Any, alpha: Any
) -> None:
    """Check what can be checked before the scores are read.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if an argument is out of range.
    """
    if not isinstance(measure, Measure):
        raise TypeError(
            '`measure` must be a Measure, such as Measure("accuracy"). '
            f"Received: measure={shown(measure)}"
        )
    if not isinstance(scores, Mapping) or not scores:
        raise ValueError(
            "`scores` must map labels of optimizers to lists of scores, at least one. "
            f"Received: scores={shown(scores)}"
        )
    for label, runs in scores.items():
        if not isinstance(label, str) or not _is_list(runs):
            raise TypeError(
                "`scores` must have a list of scores for each label. "
                f"Received: {shown(label)}: {shown(runs)}"
            )
    _check_reruns(reruns, scores)
    if not (_is_number(margin) and 0 <= margin < math.inf):
        raise ValueError(
            f"`margin` must be a number >= 0. Received: margin={shown(margin)}"
        )
    if not (_is_number(alpha) and 0 < alpha < 1):
        raise ValueError(
            f"`alpha` must be a number in (0, 1). Received: alpha={shown(alpha)}"
        )


def _check_reruns(reruns: Any, scores: Mapping[str, Any]) -> None:
    if reruns is None:
        return
    if not isinstance(reruns, Mapping) or any(label not in scores for label in reruns):
        raise ValueError(
            "`reruns` must map labels that are in `scores`, those of the optimizers "
            f"that were tuned. Known: {shown(list(scores))}. "
            f"Received: reruns={shown(reruns)}"
        )
    for label, settings in reruns.items():
        if not _is_list(settings) or not all(map(_is_list, settings)):
            raise TypeError(
                "`reruns` must have a list of settings for each label, and a list of "
                f"scores for each setting. Received: {label}: {shown(settings)}"
            )


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
