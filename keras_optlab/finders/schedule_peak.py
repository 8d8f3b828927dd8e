"""The largest value of a schedule."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_optlab.core.ends import end_of
from keras_optlab.core.spans import Span, over
from keras_optlab.schedules import Scaled

POINTS = 1000  # steps at which a schedule is looked at
EPOCHS = 100  # of them, for a schedule without a length


def peak_of(schedule: Any) -> float:
    """Return the largest value of a schedule of this package or of Keras.

    >>> from keras_optlab.schedules import OneCycle
    >>> peak_of(OneCycle(peak=0.5, steps=100))
    0.5
    """
    span = Span(0, POINTS, EPOCHS)
    whole = Scaled(over(schedule, span, span.last), 1.0)
    last = end_of(whole.schedule) or whole.horizon
    return float(np.max(whole(np.unique(np.linspace(0, last, POINTS).round()))))
