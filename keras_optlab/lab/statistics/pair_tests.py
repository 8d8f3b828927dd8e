r"""Tests of all pairs of optimizers at once, on arrays with any leading axes.

With the mean $\bar x_i$ and variance $s_i^2$ of $n_i$ fresh runs of optimizer $i$,
$d_i = n_i - 1$ and the variance of tuning $\tau_i^2$:

$$s_0^2 = \frac{\sum_i d_i \min(s_i^2, 4 \operatorname{med}_j s_j^2)}{\sum_i d_i},
  \qquad \tilde s_i^2 = \frac{d_0 s_0^2 + d_i s_i^2}{d_0 + d_i}, \quad d_0 = 4$$

$$t_{ij} = \frac{|\bar x_i - \bar x_j| - m s_0}{e_{ij}}, \qquad
  e_{ij}^2 = \tilde s_i^2 / n_i + \tilde s_j^2 / n_j + \tau_i^2 + \tau_j^2$$

A variance above $4 s_0^2$ is not shrunk: that optimizer is noisier than the others.

Sources: Smyth, 2004, doi:10.2202/1544-6115.1027 (variances shrunk to the pool);
McCarthy and Smyth, 2009, doi:10.1093/bioinformatics/btp053 (tests against a minimum
effect); Welch, 1947, doi:10.1093/biomet/34.1-2.28 (degrees of freedom); Holm, 1979,
Scandinavian Journal of Statistics 6 (several pairs). The limit of 4 and the variance of
tuning are our own, checked by `python -m tests.campaign.verdicts`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PRIOR_FREEDOM = 4.0  # degrees of freedom of the pool in a shrunk variance
NOISIER = 4.0  # times the others' variance, beyond which an optimizer has its own
# Holds the rate of false verdicts where some optimizers need finer tuning than others.
LUCK_FACTOR = 1.25
Array = NDArray[np.float64]


class Noise(NamedTuple):
    """Variances of the runs.

    Attributes:
        pooled: Of all optimizers, (...,).
        total: Its degrees of freedom, (...,).
        variances: Of each optimizer, shrunk to the pool, (..., m).
        freedom: Their degrees of freedom, (..., m).
    """

    pooled: Array
    total: Array
    variances: Array
    freedom: Array


class PairTests(NamedTuple):
    """Difference, standard error, degrees of freedom, p of all pairs (..., pairs)."""

    difference: Array
    error: Array
    freedom: Array
    p: Array


def special() -> Any:
    """Return `scipy.special`, or say how to install it."""
    try:
        import scipy.special
    except ImportError as error:
        raise ImportError(
            "The statistics of the lab need SciPy. Run `pip install keras-optlab[lab]`."
        ) from error
    return scipy.special


def pairs_of(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of the first and second optimizer of all pairs."""
    first, second = np.triu_indices(count, 1)
    return first, second


def shrink(variances: Array, counts: Array) -> Noise:
    """Return variances shrunk to the pool.

    A variance of 0 is not pooled: it is of runs that all failed and count the same, or
    of a metric in coarse steps.

    Args:
        variances: Sample variances of each optimizer's runs, (..., m).
        counts: Numbers of runs, at least 2, (m,).
    """
    own = counts - 1.0
    varies = variances > 0
    total = np.where(varies, own, 0.0).sum(-1, keepdims=True)
    capped = np.minimum(variances, NOISIER * _median(variances, varies))
    pooled = (own * capped).sum(-1, keepdims=True) / np.maximum(total, 1.0)
    shrunk = (PRIOR_FREEDOM * pooled + own * variances) / (PRIOR_FREEDOM + own)
    noisier = variances > NOISIER * pooled
    return Noise(
        pooled[..., 0],
        total[..., 0],
        np.where(noisier, variances, shrunk),
        np.where(noisier, own, PRIOR_FREEDOM + own),
    )


def _median(x: Array, where: NDArray[np.bool_]) -> Array:
    """Return the median over the last axis of the entries that are picked."""
    ranked = np.sort(np.where(where, x, np.inf), axis=-1)
    count = where.sum(-1, keepdims=True)
    both = np.concatenate([np.maximum(count - 1, 0) // 2, count // 2], axis=-1)
    both = np.take_along_axis(ranked, np.minimum(both, x.shape[-1] - 1), -1)
    return np.where(count > 0, both.mean(-1, keepdims=True), 0.0)


def luck_of(excess: Array, noise: Array) -> Array:
    r"""Return the variance of tuning of each optimizer.

    Had the search drawn other settings, the best of them would be another one. How much
    that matters shows in how far the best settings of a search are apart. The excess
    $b_i$ is the variance between their means over new seeds, less $v_i$, what the noise
    of the runs adds. It is pooled, and an optimizer's own counts where it is larger:

    $$\tau_i^2 = \tfrac{5}{4} \max(\bar b, (\bar b + b_i) / 2), \quad
      \bar b = \max\left(0, \frac{\sum_i w_i b_i}{\sum_i w_i}\right), \quad
      w_i = \min(1, 4 \operatorname{med}_j v_j / v_i)^2$$

    Args:
        excess: $b_i$, (..., tuned optimizers).
        noise: $v_i$, of the same shape.
    """
    typical = _median(noise, noise > 0)
    weights = np.ones_like(noise)
    np.divide(NOISIER * typical, noise, out=weights, where=noise > 0)
    weights = np.minimum(weights, 1.0) ** 2
    mean = (weights * excess).sum(-1, keepdims=True) / weights.sum(-1, keepdims=True)
    mean = np.maximum(mean, 0.0)
    return LUCK_FACTOR * np.maximum(mean, (mean + excess) / 2)


def compare_pairs(
    means: Array,
    noise: Noise,
    counts: Array,
    *,
    margin: float,
    luck: Array,
    luck_freedom: float,
) -> PairTests:
    """Test for each pair whether the difference is larger than the margin.

    Args:
        means: Means of the runs, (..., m).
        noise: Their variances, from `shrink`.
        counts: Numbers of runs, (m,).
        margin: Differences up to this many pooled standard deviations do not count.
        luck: Variances of tuning, (..., m); 0 without any.
        luck_freedom: Their degrees of freedom.
    """
    first, second = pairs_of(means.shape[-1])
    parts = noise.variances / counts
    a, b = parts[..., first], parts[..., second]
    c = luck[..., first] + luck[..., second]
    total = a + b + c
    spread = (
        a**2 / noise.freedom[..., first]
        + b**2 / noise.freedom[..., second]
        + c**2 / max(luck_freedom, 1.0)
    )
    # The pool is made of the same runs, so there are no more degrees of freedom in all.
    most = noise.total[..., None] + luck_freedom * (c > 0)
    error = np.sqrt(total)
    difference = means[..., first] - means[..., second]
    limit = margin * np.sqrt(noise.pooled)[..., None]
    size = np.abs(difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.fmin(total**2 / spread, most)
        t = special().stdtr
        p = t(freedom, (limit - size) / error) + t(freedom, -(limit + size) / error)
    return PairTests(difference, error, freedom, np.where(error > 0, p, np.nan))


def holm(p: Array) -> Array:
    """Return p values adjusted for the number of pairs (Holm, 1979), (..., pairs).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, axis=-1)
    ranked = np.take_along_axis(p, order, -1) * np.arange(p.shape[-1], 0, -1)
    ranked = np.minimum(np.maximum.accumulate(ranked, axis=-1), 1.0)
    adjusted = np.empty_like(ranked)
    np.put_along_axis(adjusted, order, ranked, -1)
    return adjusted
