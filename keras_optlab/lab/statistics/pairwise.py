"""The tests of all pairs of a study, and the verdicts that follow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from keras_optlab.lab.statistics import sentences
from keras_optlab.lab.statistics.judgement import Verdict
from keras_optlab.lab.statistics.measures import Measure
from keras_optlab.lab.statistics.more_runs import runs_needed
from keras_optlab.lab.statistics.pair_tests import (
    Array,
    Noise,
    compare_pairs,
    holm,
    shrink,
    special,
)
from keras_optlab.lab.statistics.reruns import Reruns
from keras_optlab.lab.statistics.sentences import Runs

ROUNDING = 1e-7  # of float32: a smaller spread is no noise of the runs


@dataclass(frozen=True)
class PairTest:
    """Difference of a pair on the scale, its error, and its p value after Holm."""

    difference: float
    error: float
    freedom: float
    p: float


class Comparison:
    """All pairs of a study on the scale of the measure.

    Args:
        x: Scores on the scale by label, the best mean first.
        luck: Variances of tuning.
        margin: In pooled standard deviations of a run.
        alpha: Largest chance of a false verdict.
    """

    def __init__(
        self, x: Mapping[str, Array], luck: Reruns, *, margin: float, alpha: float
    ) -> None:
        self.x, self.luck, self.margin, self.alpha = x, luck, margin, alpha
        self.labels = [k for k, v in x.items() if v.size > 1 and np.isfinite(v).all()]
        self.noise = self._noise()
        self.tests = self._tests() if self.noise and len(self.labels) > 1 else {}
        self.undecided = sum(t.p >= alpha for t in self.tests.values())

    def _noise(self) -> Noise | None:
        """Return the shrunk variances; `None` if the runs do not vary."""
        if not self.labels:
            return None
        runs = [self.x[label] for label in self.labels]
        counts = np.array([r.size for r in runs], float)
        variances = np.array([r.var(ddof=1) for r in runs])
        size = max(1.0, max(float(np.abs(r).max()) for r in runs))
        variances[variances <= (ROUNDING * size) ** 2] = 0.0
        return shrink(variances, counts) if variances.any() else None

    def _tests(self) -> dict[tuple[str, str], PairTest]:
        assert self.noise is not None
        runs = [self.x[label] for label in self.labels]
        found = compare_pairs(
            np.array([r.mean() for r in runs]),
            self.noise,
            np.array([r.size for r in runs], float),
            margin=self.margin,
            luck=np.array([self.luck.variances[label] for label in self.labels]),
            luck_freedom=self.luck.freedom,
        )
        columns = (found.difference, found.error, found.freedom, holm(found.p))
        rows = zip(*(c.tolist() for c in columns), strict=True)
        pairs = combinations(self.labels, 2)
        return {pair: PairTest(*row) for pair, row in zip(pairs, rows, strict=True)}

    @property
    def seed_spread(self) -> float | None:
        """Pooled standard deviation of a run; `None` if it is unknown."""
        return None if self.noise is None else math.sqrt(float(self.noise.pooled))

    def mean_of(self, label: str) -> tuple[float | None, float | None, float | None]:
        """Return an optimizer's mean and its interval over seeds, on the scale."""
        runs = self.x[label]
        if not runs.size or not np.isfinite(runs).all():
            return None, None, None
        mean = float(runs.mean())
        if self.noise is None or label not in self.labels:
            return mean, None, None
        at = self.labels.index(label)
        freedom = min(float(self.noise.freedom[at]), float(self.noise.total))
        error = math.sqrt(float(self.noise.variances[at]) / runs.size)
        half = float(special().stdtrit(freedom, 1 - self.alpha / 2)) * error
        return mean, mean - half, mean + half

    def verdicts(
        self, measure: Measure, runs: Mapping[str, Runs]
    ) -> tuple[Verdict, ...]:
        """Return the verdicts on all pairs, the better one of each pair first."""
        return tuple(
            self._tested(measure, runs[a], runs[b], self.tests[a, b])
            if (a, b) in self.tests
            else self._untested(measure, runs[a], runs[b])
            for a, b in combinations(self.x, 2)
        )

    def _tested(self, measure: Measure, a: Runs, b: Runs, test: PairTest) -> Verdict:
        may_win = self._may_win(measure, a, test)
        better = test.p < self.alpha and may_win
        level = self.alpha / (2 * len(self.tests))
        half = float(special().stdtrit(test.freedom, 1 - level)) * test.error
        ends = test.difference - half, test.difference + half
        if better:  # Strassburger and Bretz, 2008: ends that agree with Holm's test
            ends = ends[0], min(ends[1], -self.margin * (self.seed_spread or 0.0))
        effect, low, high = (measure.effect(x) for x in (test.difference, *ends))
        size = sentences.size(measure, b.label, effect, low, high)
        if b.all_failed and not a.all_failed and measure.kind == "effort":
            low = high = None  # the budget is no score: the ratio is a bound
            size = sentences.at_most(measure, b.label, effect)
        elif b.all_failed:
            effect, low, high, size = None, None, None, ""
        failed = sentences.failures(measure, a, b)
        needed = math.nan
        if may_win and not better:
            needed = self._runs_needed(a.label, b.label, test)
        if better:
            sentence = sentences.apart(a, b, size, failed)
        else:
            advice = self._advice(measure, a, b, test, needed)
            sentence = sentences.together(a, b, size, failed, advice)
        return Verdict(
            a.label,
            b.label,
            "better" if better else "not distinguishable",
            effect,
            low,
            high,
            test.p,
            int(needed) if math.isfinite(needed) else None,
            sentence,
        )

    @staticmethod
    def _may_win(measure: Measure, first: Runs, test: PairTest) -> bool:
        """Return whether the first of a pair may be called better.

        Labels are ordered by mean, those of which all runs failed last. A failed run
        that counts as the optimizer's own limit needs at least as much: that may show
        that it is worse, not that it is better.
        """
        return test.difference < 0 and not (measure.has_own_limits and first.failed)

    def _advice(
        self, measure: Measure, a: Runs, b: Runs, test: PairTest, needed: float
    ) -> str:
        if b.all_failed and (a.all_failed or not self._may_win(measure, a, test)):
            return sentences.both_failed(measure)
        margin = measure.effect(self.margin * (self.seed_spread or 0.0))
        luck = self._luck(a.label, b.label) > 0
        return sentences.advice(measure, needed, luck, margin)

    def _runs_needed(self, a: str, b: str, test: PairTest) -> float:
        """Return the runs of each; NaN within the margin, infinite beyond all sense."""
        assert self.noise is not None
        margin = self.margin * math.sqrt(float(self.noise.pooled))
        distance = abs(test.difference) - margin
        if distance <= 0:
            return math.nan
        i, j = self.labels.index(a), self.labels.index(b)
        needed = runs_needed(
            distance,
            float(self.noise.variances[i] + self.noise.variances[j]),
            self._luck(a, b),
            level=self.alpha / self.undecided,  # Holm's for the next pair
            optimizers=len(self.labels),
            luck_freedom=self.luck.freedom,
        )
        # The test may be stricter than its approximation: never advise what was done.
        return max(needed, max(self.x[a].size, self.x[b].size) + 1)

    def _luck(self, a: str, b: str) -> float:
        return self.luck.variances[a] + self.luck.variances[b]

    def _untested(self, measure: Measure, a: Runs, b: Runs) -> Verdict:
        first, second = self.mean_of(a.label)[0], self.mean_of(b.label)[0]
        effect = None
        if first is not None and second is not None:
            lost = a.all_failed or b.all_failed
            effect = None if lost else measure.effect(first - second)
        size = "" if effect is None else sentences.size(measure, b.label, effect)
        sentence = sentences.untested(measure, a, b, size)
        return Verdict(
            a.label,
            b.label,
            "not distinguishable",
            effect,
            None,
            None,
            None,
            2 if min(a.count, b.count) < 2 else None,
            sentence,
        )
