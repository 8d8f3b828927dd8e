"""Points of a search space, by their number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_optlab.lab.requirements import need


def points(
    domains: Mapping[str, Any], number: int, seed: int
) -> list[dict[str, float]]:
    """Return points of the unit cube that are spread evenly, a share for each name.

    The first is the middle, where the declared spaces have their usual values. The
    others are of a scrambled Halton sequence; the first n are the same for any number.

    Args:
        domains: What is searched, by name; nothing to search has one point.
        number: Number of points, >= 1.
        seed: Seed of the sequence.

    Source: Owen, 2017, arXiv:1706.02808, for the scrambling; Bousquet et al., 2017,
    arXiv:1706.03200, for such points in place of random ones.

    >>> points({"learning_rate": None}, 2, seed=0)[0]
    {'learning_rate': 0.5}
    """
    if not domains:
        return [{}]
    need("scipy")
    from scipy.stats import qmc

    names = sorted(domains)
    sequence = qmc.Halton(len(names), scramble=True, rng=seed)
    rows = [[0.5] * len(names), *sequence.random(number - 1).tolist()]
    return [dict(zip(names, row, strict=True)) for row in rows]
