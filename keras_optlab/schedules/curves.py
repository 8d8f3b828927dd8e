"""The few curves that schedules are made of.

Each takes `ops`, which is `numpy` or `keras.ops`; the formulas are the same for both.
"""

from __future__ import annotations

import math
from typing import Any


def progress(step: Any, steps: float, ops: Any) -> Any:
    """Share of `steps` that has passed: 0 at step 0, 1 at `steps`, held beyond both."""
    return ops.clip(step / steps, 0.0, 1.0)


def cosine_ramp(x: Any, ops: Any) -> Any:
    """Half a cosine wave from 0 at x = 0 to 1 at x = 1, level at both ends.

    Both ends are exact in float32 too: cos(0) is 1, and the subtraction rounds away an
    error of one unit in the last place of cos(π).
    """
    return (1.0 - ops.cos(math.pi * x)) / 2.0


def mix(start: Any, end: Any, weight: Any) -> Any:
    """Weighted mean, exactly `start` at weight 0 and exactly `end` at weight 1."""
    return start * (1.0 - weight) + end * weight
