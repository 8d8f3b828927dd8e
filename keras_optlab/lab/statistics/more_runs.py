"""How many runs a pair that was not distinguished would need."""

from __future__ import annotations

import math

from keras_optlab.lab.statistics.pair_tests import PRIOR_FREEDOM, special

MOST_RUNS = 1_000  # for each optimizer; more is no advice
POWER = 0.8  # chance to tell the two apart with the runs that are advised


def runs_needed(
    distance: float,
    variance: float,
    luck: float,
    *,
    level: float,
    optimizers: int,
    luck_freedom: float,
) -> float:
    r"""Return the runs of each optimizer that show a difference with a chance of 80 %.

    The smallest $n$ with

    $$\frac{D}{\sqrt{v / n + l}} \ge t_{1 - \alpha} + t_{0.8}$$

    for quantiles of Student's t.

    Args:
        distance: How far the difference is beyond the margin, $D > 0$.
        variance: Sum of the variances of a run of both, $v$.
        luck: Sum of the variances of tuning of both, $l$, which runs do not reduce.
        level: $\alpha$ of this pair, after the correction for the number of pairs.
        optimizers: All optimizers of the study, whose runs the variances are from.
        luck_freedom: Degrees of freedom of the variances of tuning.

    Returns:
        A whole number; infinity if `MOST_RUNS` runs do not suffice.
    """
    quantile = special().stdtrit

    def enough(n: int) -> bool:
        total = variance / n + luck
        of_runs = min(2 * (PRIOR_FREEDOM + n - 1), optimizers * (n - 1))
        freedom = total**2 / (
            (variance / n) ** 2 / of_runs + luck**2 / max(luck_freedom, 1.0)
        )
        needed = quantile(freedom, 1 - level) + quantile(freedom, POWER)
        return distance >= needed * math.sqrt(total)

    if not enough(MOST_RUNS):
        return math.inf
    low, high = 1, MOST_RUNS  # `low` is too few: no variance
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
