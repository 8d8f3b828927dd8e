"""Performance profiles."""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras_optlab.core.errors import shown
from keras_optlab.lab.statistics.measures import Score, has_failed


@dataclass(frozen=True)
class PerformanceProfile:
    r"""The share of problems on which an optimizer is within a factor of the best.

    $$\rho_s(\tau) = \frac{1}{|P|}
      \left|\{p \in P: t_{p,s} \le \tau \min_{s'} t_{p,s'}\}\right|$$

    Attributes:
        label: The optimizer's label.
        ratios: The factors $\tau$ at which the share rises, from 1 on, ascending.
        shares: The share from each of them on.
    """

    label: str
    ratios: tuple[float, ...]
    shares: tuple[float, ...]

    def at(self, ratio: float) -> float:
        """Return the share of problems within this factor of the best."""
        before = bisect_right(self.ratios, ratio)
        return self.shares[before - 1] if before else 0.0

    def area(self, up_to: float) -> float:
        """Return the mean share over the logarithm of factors from 1 to `up_to`.

        This is a score for the whole profile: 1 if the optimizer is the best on all
        problems (Dahl et al., 2023, arXiv:2306.07179, take the mean over the factor).
        """
        if not up_to > 1:
            raise ValueError(f"`up_to` must be > 1. Received: up_to={up_to}")
        ends = [*(r for r in self.ratios if r < up_to), up_to]
        steps = zip(ends, ends[1:], self.shares, strict=False)
        total = sum(share * math.log(b / a) for a, b, share in steps)
        return total / math.log(up_to)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in _items(self)}


def performance_profiles(
    costs: Mapping[str, Mapping[str, Score] | Sequence[Score]],
) -> tuple[PerformanceProfile, ...]:
    r"""Return the performance profile of each optimizer.

    Args:
        costs: For each optimizer the steps, seconds or loss > 0, by problem; or a list
            with the problems (or seeds of one problem) in the same order for all.
            `None` or NaN where it did not solve the problem. A problem that nobody
            solved stays in the number of problems.

    Raises:
        ValueError: if the optimizers have other problems, or a cost is not > 0.

    Source: Dolan and Moré, 2002, arXiv:cs/0102001.

    >>> muon, sgd = performance_profiles({"muon": [200, 330], "sgd": [400, 300]})
    >>> muon.at(1), muon.at(1.1), sgd.at(1.1)
    (0.5, 1.0, 0.5)
    """
    table = {label: _by_problem(label, found) for label, found in costs.items()}
    problems = list(next(iter(table.values()), {}))
    if not problems:
        raise ValueError(
            "`costs` must have at least one optimizer and one problem. "
            f"Received: costs={shown(costs)}"
        )
    for label, found in table.items():
        if found.keys() != set(problems):
            raise ValueError(
                f"All optimizers must have the same problems: {shown(problems)}. "
                f"Received: {label} has {shown(list(found))}"
            )
    best = {p: min(found[p] for found in table.values()) for p in problems}
    return tuple(
        _profile(
            label,
            sorted(found[p] / best[p] for p in problems if math.isfinite(found[p])),
            len(problems),
        )
        for label, found in table.items()
    )


def _profile(label: str, ratios: list[float], problems: int) -> PerformanceProfile:
    rises = sorted({1.0, *ratios})
    shares = tuple(bisect_right(ratios, rise) / problems for rise in rises)
    return PerformanceProfile(label, tuple(rises), shares)


def _by_problem(
    label: str, found: Mapping[str, Score] | Sequence[Score]
) -> dict[str, float]:
    """Return the costs by problem, infinite where it was not solved."""
    if not isinstance(found, Mapping):
        found = {str(i): cost for i, cost in enumerate(found)}
    costs = {}
    for problem, cost in found.items():
        if cost is None or has_failed(cost, label):
            costs[problem] = math.inf
        elif cost <= 0:
            raise ValueError(
                "A cost must be > 0, or None where the problem was not solved. "
                f"Received: {label} on {problem}: {cost}"
            )
        else:
            costs[problem] = float(cost)
    return costs


def _items(profile: PerformanceProfile) -> list[tuple[str, Any]]:
    return [(f.name, getattr(profile, f.name)) for f in dataclasses.fields(profile)]
