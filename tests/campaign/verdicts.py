"""Simulate whole studies of the lab, and count false and right verdicts.

python -m tests.campaign.verdicts                  # the tables of docs/statistics.md
python -m tests.campaign.verdicts --studies 1000   # fewer studies

A study: each optimizer is tuned by 12 trials of one seed; its best 3 settings are rerun
with 2 more seeds; the setting with the best mean gets k fresh seeds, which are judged.
All figures are in standard deviations of a run. The loss of a setting is a bowl over
two hyperparameters, with its optimum at a random place, so equal optimizers end with
settings that are not equal: the luck of tuning.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_optlab.finders.text_table import text_table
from keras_optlab.lab.statistics.judge import ALPHA, MARGIN
from keras_optlab.lab.statistics.pair_tests import (
    compare_pairs,
    holm,
    luck_of,
    pairs_of,
    shrink,
)

TRIALS, BEST, RERUNS = 12, 3, 2
SEEDS = (3, 5, 10)
LEADS = (3, 6)
BATCH = 1_000  # studies at a time, for memory


def _per_optimizer(z, sizes):
    """Scale the noise of each optimizer; the root mean square of the scales is 1."""
    sizes = np.asarray(sizes) / np.sqrt(np.mean(np.square(sizes)))
    return z * sizes.reshape(1, -1, *[1] * (z.ndim - 2))


def _lognormal(rng, shape, s=0.75):
    top = np.exp(s * s)
    return (np.exp(s * rng.standard_normal(shape)) - top**0.5) / np.sqrt(top**2 - top)


# Noise of runs, (studies, optimizers, ...), of mean 0 and standard deviation 1, or what
# makes a run worse beyond that.
NOISE: dict[str, Callable] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "skewed": lambda rng, shape: rng.exponential(size=shape) - 1,
    "lognormal": _lognormal,
    "unequal": lambda rng, shape: _per_optimizer(
        rng.standard_normal(shape), np.geomspace(1 / 3, 3, shape[1])
    ),
    "one noisy": lambda rng, shape: (
        rng.standard_normal(shape)
        * np.where(np.arange(shape[1]) == shape[1] - 1, 10, 1).reshape(
            1, -1, *[1] * (len(shape) - 2)
        )
    ),
    "outliers": lambda rng, shape: (
        rng.standard_normal(shape) + 10 * (rng.random(shape) < 0.04)
    ),
    "failures": lambda rng, shape: (
        rng.standard_normal(shape) + 10 * (rng.random(shape) < 0.3)
    ),
    "cut off": lambda rng, shape: rng.standard_normal(shape),  # see `Study.limit`
}
# Curvature of the bowl: the cost, one unit of the space away from the optimum.
LUCK = {"none": 0.0, "some": 1.0, "much": 4.0}


@dataclass(frozen=True)
class Study:
    """A kind of study.

    Attributes:
        seeds: Fresh seeds, k.
        noise: Key of `NOISE`.
        luck: Key of `LUCK`.
        optimizers: Number of optimizers.
        uneven: Whether the curvature differs between optimizers, by 1/4 to 4.
        lead: How much better one of the optimizers is, the middle one.
    """

    seeds: int
    noise: str = "normal"
    luck: str = "some"
    optimizers: int = 7
    uneven: bool = False
    lead: float = 0.0

    @property
    def limit(self) -> float:
        return 0.2 * LUCK[self.luck] if self.noise == "cut off" else np.inf

    def draw(self, rng, count):
        """Return reruns (count, m, settings, runs), scores (count, m, seeds), luck."""
        m, noise = self.optimizers, NOISE[self.noise]
        curvature = LUCK[self.luck] * np.ones(m)
        if self.uneven:
            curvature = curvature * np.geomspace(1 / 4, 4, m)
        lead = np.where(np.arange(m) == m // 2, self.lead, 0.0)[:, None]
        optimum = rng.uniform(-0.5, 0.5, (count, m, 1, 2))
        points = rng.uniform(-1, 1, (count, m, TRIALS, 2))
        distance = ((points - optimum) ** 2).sum(-1)
        true = curvature[:, None] * distance - lead

        def run(x):
            return np.minimum(x + noise(rng, x.shape), self.limit)

        trials = run(true)
        best = np.argsort(trials, -1)[..., :BEST]
        trials, true = (np.take_along_axis(x, best, -1) for x in (trials, true))
        reruns = run(np.repeat(true[..., None], RERUNS, -1))
        means = (trials + reruns.sum(-1)) / (1 + RERUNS)
        chosen = means.argmin(-1)[..., None]
        true = np.take_along_axis(true, chosen, -1)
        return reruns, run(np.repeat(true, self.seeds, -1)), true[..., 0] + lead[:, 0]


def verdicts(reruns, scores, method):
    """Return the differences (studies, pairs) and whether each pair is told apart."""
    counts = np.full(scores.shape[1], float(scores.shape[2]))
    between = reruns.mean(-1).var(-1, ddof=1)
    within = reruns.var(-1, ddof=1).mean(-1) / reruns.shape[-1]
    luck = luck_of(between - within, within)
    found = compare_pairs(
        scores.mean(-1),
        shrink(scores.var(-1, ddof=1), counts),
        counts,
        margin=0.0 if method == "no margin" else MARGIN,
        luck=luck if method == "as built" else 0 * luck,
        luck_freedom=float((BEST - 1) * scores.shape[1]),
    )
    return found.difference, holm(np.nan_to_num(found.p, nan=1.0)) < ALPHA


METHODS = ("no margin", "margin alone", "as built")


@dataclass(frozen=True)
class Rates:
    """What was counted over many studies.

    Attributes:
        luck: Standard deviation of the chosen settings' true scores.
        wrong: Share of studies in which an equal pair was told apart, or the leader was
            called worse.
        right: Share of the pairs with the leader that were named rightly.
    """

    luck: float
    wrong: float
    right: float


def rates(study: Study, studies: int, method: str = "as built", seed: int = 1) -> Rates:
    """Simulate studies of one kind, and count."""
    rng = np.random.default_rng(seed)
    first, second = pairs_of(study.optimizers)
    leader = study.optimizers // 2
    wrong, right, settings = [], [], []
    for start in range(0, studies, BATCH):
        reruns, scores, true = study.draw(rng, min(BATCH, studies - start))
        difference, apart = verdicts(reruns, scores, method)
        led = (first == leader) | (second == leader)
        leads = np.where(first == leader, difference < 0, difference > 0)
        good = apart & led & leads if study.lead else np.zeros_like(apart)
        wrong += (apart & ~good).any(-1).tolist()
        right += (good.sum(-1) / (study.optimizers - 1)).tolist()
        settings.append(true)
    return Rates(
        float(np.concatenate(settings).std()),
        float(np.mean(wrong)),
        float(np.mean(right)),
    )


KINDS: dict[str, dict] = {  # by what the tables call them
    "normal, no luck": {"luck": "none"},
    "unequal, no luck": {"luck": "none", "noise": "unequal"},
    **{
        f"{noise}, {luck} luck": {"noise": noise, "luck": luck}
        for noise in NOISE
        for luck in ("some", "much")
    },
    "normal, some luck, uneven": {"uneven": True},
    "normal, much luck, uneven": {"uneven": True, "luck": "much"},
    **{
        f"normal, {luck} luck, {m} optimizers": {"luck": luck, "optimizers": m}
        for m in (2, 3)
        for luck in ("some", "much")
    },
}


def false_winners(studies: int, names=KINDS) -> list[tuple[str, ...]]:
    """Return the share of studies of equal optimizers with any verdict, by method."""
    rows = [("luck", *METHODS, "studies")]
    for name in names:
        kind = KINDS[name]
        found = {
            method: [rates(Study(k, **kind), studies, method) for k in SEEDS]
            for method in METHODS
        }
        shares = (
            " ".join(f"{100 * r.wrong:5.1f}" for r in by_seeds)
            for by_seeds in found.values()
        )
        rows.append((f"{found['as built'][0].luck:.2f}", *shares, name))
    return rows


def power(studies: int, names=KINDS) -> list[tuple[str, ...]]:
    """Return the share of right verdicts on an optimizer that is better than all."""
    rows = [(*(f"{lead} sd better" for lead in LEADS), "false beside", "studies")]
    for name in names:
        kind = KINDS[name]
        found = [
            [rates(Study(k, lead=lead, **kind), studies) for k in SEEDS]
            for lead in LEADS
        ]
        right = (" ".join(f"{100 * r.right:4.0f}" for r in row) for row in found)
        wrong = " ".join(f"{100 * r.wrong:5.1f}" for r in found[0])
        rows.append((*right, wrong, name))
    return rows


def main(arguments: list[str]) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=8_000)
    given = parser.parse_args(arguments)
    seeds = " / ".join(map(str, SEEDS))
    print(f"Equal optimizers: % of {given.studies} studies with a false verdict,")
    print(f"with {seeds} fresh seeds. luck: spread of the chosen settings in sd.")
    print(text_table(false_winners(given.studies)), flush=True)
    print(f"\nOne better optimizer: % of its pairs named rightly, {seeds} fresh seeds;")
    print("% of studies with a false verdict beside it, where it is 3 sd better.")
    print(text_table(power(given.studies)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
