"""Suggestions from the curve of a range test, each by a rule of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_optlab.finders.curve import Curve

SLIDE_WIDTH = 15  # steps between the two ends that fastai slides
SLIDE_THRESHOLD = 0.005


def third_of_knee(curve: Curve) -> float:
    """Return a third of the value at which most of the fall is done."""
    return float(curve.values[curve.knee] / 3)


def steepest(curve: Curve) -> float:
    """Return the value at which the loss falls fastest per decade."""
    at = max(curve.lowest, 1)
    slopes = np.gradient(curve.losses[: at + 1], np.log(curve.values[: at + 1]))
    return float(curve.values[np.argmin(slopes)])


def valley(curve: Curve) -> float:
    """Return the value in the middle of the longest descent, which may have bumps."""
    losses = curve.losses
    lengths = np.ones(len(losses), int)  # of the longest falling series that ends here
    for i in range(1, len(losses)):
        lengths[i] += np.max(lengths[:i][losses[:i] > losses[i]], initial=0)
    end = int(np.argmax(lengths))
    return float(curve.values[end - int(lengths[end]) // 2])


def tenth_of_minimum(curve: Curve) -> float:
    """Return a tenth of the value at the lowest loss."""
    return float(curve.values[curve.lowest] / 10)


def slide(curve: Curve) -> float:
    """Return the end of the last flat part, seen from the divergence.

    A window of steps slides from the right to where the slopes at its ends are equal.
    """
    slopes = np.gradient(curve.losses)
    right = len(slopes) - 1
    left = max(right - SLIDE_WIDTH, 0)
    while left > 0 and abs(slopes[right] - slopes[left]) > SLIDE_THRESHOLD:
        right, left = right - 1, left - 1
    return float(curve.values[left])


RULES: dict[str, Callable[[Curve], float]] = {
    "knee/3": third_of_knee,
    "steepest": steepest,
    "valley": valley,
    "minimum/10": tenth_of_minimum,
    "slide": slide,
}
EXPLAINED = {
    "knee/3": "a third of the value at which 4/5 of the fall is done",
    "steepest": "the loss falls fastest here",
    "valley": "the middle of the longest descent",
    "minimum/10": "a tenth of the value with the lowest loss",
    "slide": "the end of the last flat part before the loss diverges",
}
