"""How much another search for the settings might change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keras_optlab.lab.statistics.measures import Measure, Score
from keras_optlab.lab.statistics.pair_tests import Array, luck_of


@dataclass(frozen=True)
class Reruns:
    """Variances of tuning by optimizer, their freedom, and their root mean square."""

    variances: dict[str, float]
    freedom: float
    spread: float | None


def tuning_luck(
    measure: Measure,
    reruns: Mapping[str, Sequence[Sequence[Score]]],
    labels: Sequence[str],
) -> Reruns:
    """Return the variances of tuning of all optimizers; 0 for those not tuned.

    Args:
        measure: What the scores are.
        reruns: Scores of the best settings, by optimizer, a list for each setting.
        labels: All optimizers.
    """
    flat, owners = {}, {}
    for label, settings in reruns.items():
        for i, runs in enumerate(settings, 1):
            flat[f"{label}, setting {i}"] = runs
            owners[f"{label}, setting {i}"] = label
    x = measure.of_parts(owners).on_scale(flat)
    spreads: dict[str, tuple[float, float]] = {}
    freedom = 0
    for label, settings in reruns.items():
        mine = [x[f"{label}, setting {i}"] for i in range(1, len(settings) + 1)]
        mine = [runs for runs in mine if runs.size > 1 and np.isfinite(runs).all()]
        if len(mine) > 1:
            spreads[label] = setting_spread(mine)
            freedom += len(mine) - 1
    variances = dict.fromkeys(labels, 0.0)
    if not spreads:
        return Reruns(variances, 0.0, None)
    excess, noise = np.array(list(spreads.values())).T
    found = dict(zip(spreads, luck_of(excess, noise).tolist(), strict=True))
    typical = float(np.mean(list(found.values())))
    for label in reruns:  # of too few runs: as the others
        variances[label] = found.get(label, typical)
    tuned = [variances[label] for label in reruns]
    return Reruns(variances, float(freedom), math.sqrt(sum(tuned) / len(tuned)))


def setting_spread(settings: Sequence[Array]) -> tuple[float, float]:
    """Return the variance between settings without, and the one from, noise of runs."""
    means = np.array([runs.mean() for runs in settings])
    noise = float(np.mean([runs.var(ddof=1) / runs.size for runs in settings]))
    return float(means.var(ddof=1)) - noise, noise
