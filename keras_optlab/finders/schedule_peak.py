"""The largest value of a schedule."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_optlab.core.ends import end_of
from keras_optlab.schedules import Scaled

POINTS = 1000  # steps at which a schedule is looked at


def peak_of(schedule: Any) -> float:
    """Return the largest value of a schedule of this package or of Keras.

    >>> from keras_optlab.schedules import OneCycle
    >>> peak_of(OneCycle(peak=0.5, steps=100))
    0.5
    """
    last = end_of(schedule) or getattr(schedule, "horizon", None)
    whole = Scaled(schedule, 1.0)
    if not isinstance(last, int):  # unknown, or the schedule spans the training
        return float(np.max(whole.values(POINTS)))
    return float(np.max(whole(np.unique(np.linspace(0, last, POINTS).round()))))
