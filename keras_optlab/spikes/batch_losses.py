"""The loss of each execution, from the running means that Keras reports."""

from __future__ import annotations

import math


class BatchLosses:
    r"""The batch losses of an epoch, from the mean after each execution.

    Keras reports the mean $m_n$ over the first $n$ batches of the epoch. The mean loss
    of the last $k$ batches is

    $$\ell = m_{n-k} + \frac{n}{k} (m_n - m_{n-k})$$

    A smaller last batch has less weight in $m_n$, which draws $\ell$ to the mean.

    Args:
        counted: Number of batches in the mean so far.
        mean: Their mean; `None` if it is not known.

    >>> losses = BatchLosses()
    >>> losses.next(1, 4.0), losses.next(1, 3.0), losses.next(2, 5.0)
    (4.0, 2.0, 7.0)
    """

    def __init__(self, counted: int = 0, mean: float | None = 0.0) -> None:
        self.counted, self.mean = counted, mean

    def next(self, batches: int, mean: float, left_out: int = 0) -> float | None:
        """Return the loss of an execution; `None` if it cannot be known.

        Args:
            batches: Number of batches in it.
            mean: What Keras reports after it.
            left_out: Number of them that the metrics do not keep, since their steps
                were not applied.
        """
        if left_out >= batches:
            return None
        before = self.mean
        self.counted += batches - left_out
        if left_out:  # the report may contain those that are not kept
            self.mean = None
            return None
        self.mean = mean
        if before is None:
            return None
        if not math.isfinite(mean):
            return mean
        return before + self.counted / batches * (mean - before)
