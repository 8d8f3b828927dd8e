"""Which values are far above those before them, by median and MAD."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

import numpy as np

GAUSSIAN = 1.4826  # standard deviation over MAD of a normal distribution
FEWEST = 20  # values from which on there is a score
EARLY = 100  # before, a spike is this many times larger than all values so far


class Outliers:
    r"""The last values of a series, and a limit above which the next one is a spike.

    With $u = \log x$ if all values of the window are > 0, otherwise $u = x$,

    $$z(x) = \frac{u(x) - m}{1.4826 \operatorname{MAD}}, \qquad
      m = \operatorname{median}(u_i), \qquad
      \operatorname{MAD} = \operatorname{median} |u_i - m|$$

    and $x$ is a spike if $z(x)$ > `threshold` and $x$ is more than `ratio` times the
    median: $x - \tilde x > (\text{ratio} - 1) |\tilde x|$. NaN and infinity always are.

    A loss or a gradient norm is nearer to a log-normal than to a normal distribution,
    so logarithms make ordinary large values less surprising. Median and MAD ignore
    up to half of the window being bad. If more than half of the values are equal, MAD
    is 0 and says nothing: then only NaN and infinity are spikes. Before there are 20
    values, a spike is more than 100 times the largest of them.

    Args:
        threshold: Smallest score of a spike, > 0.
        ratio: Smallest ratio of a spike to the median, >= 1.
        size: Number of values in the window, >= `FEWEST`.

    Source:
        Iglewicz and Hoaglin, 1993, "How to detect and handle outliers", for the score.

    >>> losses = Outliers(threshold=6, ratio=3)
    >>> losses.add([1.0, 1.1, 0.9, 1.2, 0.8] * 4)
    >>> losses.is_spike(1.3), losses.is_spike(9.0), losses.is_spike(float("nan"))
    (False, True, True)
    """

    def __init__(self, threshold: float, ratio: float, size: int = 100) -> None:
        self.threshold, self.ratio = threshold, ratio
        self.values: deque[float] = deque(maxlen=size)
        self._limit: float | None = math.inf

    def add(self, values: Iterable[float]) -> None:
        """Add ordinary values to the window."""
        self.values.extend(values)
        self._limit = None

    def restart(self, values: Iterable[float]) -> None:
        """Replace the window."""
        self.values.clear()
        self.add(values)

    @property
    def limit(self) -> float:
        """Largest value that is not a spike."""
        if self._limit is None:
            self._limit = self._largest()
        return self._limit

    def is_spike(self, x: float) -> bool:
        """Return whether the next value is a spike."""
        return not math.isfinite(x) or x > self.limit

    def score(self, x: float) -> float:
        """Return z(x); NaN as long as too few values are known."""
        if len(self.values) < FEWEST:
            return math.nan
        logs, middle, scale = self._spread()
        if not math.isfinite(x) or scale == 0:
            return math.nan
        if logs and x <= 0:
            return -math.inf
        return float(((math.log(x) if logs else x) - middle) / scale)

    @property
    def median(self) -> float:
        """Median of the window; NaN if it is empty."""
        return float(np.median(self.values)) if self.values else math.nan

    def _spread(self) -> tuple[bool, float, float]:
        """Return whether logarithms are taken, their median, and their deviation."""
        x = np.array(self.values)
        logs = bool((x > 0).all())
        u = np.log(x) if logs else x
        middle = float(np.median(u))
        return logs, middle, GAUSSIAN * float(np.median(np.abs(u - middle)))

    def _largest(self) -> float:
        if len(self.values) < FEWEST:
            return EARLY * max(map(abs, self.values), default=0.0) or math.inf
        logs, middle, scale = self._spread()
        if scale == 0:
            return math.inf
        far = middle + self.threshold * scale
        if logs:
            far = math.exp(far) if far < 700 else math.inf
        typical = self.median
        return max(far, typical + (self.ratio - 1) * abs(typical))
