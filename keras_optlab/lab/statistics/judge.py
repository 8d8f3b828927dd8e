"""Which optimizers are better, worse, or not distinguishable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from keras_optlab.lab.statistics.arguments import check_arguments
from keras_optlab.lab.statistics.judgement import Judgement, Standing, Verdict
from keras_optlab.lab.statistics.measures import Measure, Score, has_failed
from keras_optlab.lab.statistics.pairwise import Comparison
from keras_optlab.lab.statistics.reruns import Reruns, tuning_luck
from keras_optlab.lab.statistics.sentences import Runs

MARGIN = 0.5  # pooled standard deviations of a run
ALPHA = 0.05


def judge(
    scores: Mapping[str, Sequence[Score]],
    measure: Measure | None = None,
    *,
    reruns: Mapping[str, Sequence[Sequence[Score]]] | None = None,
    margin: float = MARGIN,
    alpha: float = ALPHA,
) -> Judgement:
    r"""Return the ranking of optimizers and the verdict on each pair.

    A verdict is a t test of $|\bar x_i - \bar x_j| > m s_0$ on the logarithms of the
    scores, with variances shrunk to the pool $s_0^2$, and Holm's correction for the
    number of pairs; the formulas are in `pair_tests`, the rates of false verdicts in
    docs/statistics.md. A pair with a single run of either is never told apart, nor are
    optimizers whose runs do not vary at all.

    Args:
        scores: Scores of fresh seeds, the same setting in all of them, by label: seeds
            that took no part in choosing the setting. `None` or NaN for a failed run.
        measure: What the scores are; the default is a loss.
        reruns: For every optimizer that was tuned, the scores of its best settings (at
            least 2 settings, at least 2 runs each) with seeds that did not rank them.
            How far settings are apart tells how much another search might change, and
            counts as noise. Leave out optimizers whose setting was given. The default
            is that the luck of tuning is unknown; then only the margin covers it.
        margin: Differences up to this many pooled standard deviations of a run do not
            count, >= 0.
        alpha: Largest chance of a false verdict on any pair, in (0, 1).

    Raises:
        TypeError: if a score is no number.
        ValueError: if an argument is out of range.
        ImportError: if SciPy is not installed.

    Source: Smyth, 2004, doi:10.2202/1544-6115.1027; McCarthy and Smyth, 2009,
    doi:10.1093/bioinformatics/btp053; Holm, 1979.

    >>> found = judge({"muon": [0.11, 0.1, 0.12], "sgd": [0.3, 0.31, 0.28]})
    >>> found.winner
    'muon'
    >>> print(found.pairs[0])
    muon is better than sgd: loss 0.37 times sgd's (0.313 to 0.438).
    """
    measure = Measure() if measure is None else measure
    check_arguments(scores, measure, reruns, margin=margin, alpha=alpha)
    x = measure.on_scale(scores)
    means = {label: float(v.mean()) if v.size else math.nan for label, v in x.items()}
    runs = {
        label: Runs(label, len(s), sum(has_failed(one, label) for one in s))
        for label, s in scores.items()
    }

    def place(label: str) -> tuple[bool, bool, float]:
        return math.isnan(means[label]), runs[label].all_failed, means[label]

    order = sorted(x, key=place)
    luck = tuning_luck(measure, reruns or {}, order)
    comparison = Comparison(
        {label: x[label] for label in order}, luck, margin=margin, alpha=alpha
    )
    pairs = comparison.verdicts(measure, runs)
    ranking = tuple(
        _standing(place, label, scores[label], runs[label], measure, comparison, pairs)
        for place, label in enumerate(order, 1)
    )
    spread = comparison.seed_spread
    return Judgement(
        measure=measure,
        ranking=ranking,
        pairs=pairs,
        alpha=alpha,
        margin=margin,
        margin_effect=None if spread is None else measure.effect(margin * spread),
        seed_spread=spread,
        tuning_spread=luck.spread,
        notes=_notes(measure, comparison, luck, list(runs.values())),
    )


def _standing(
    place: int,
    label: str,
    scores: Sequence[Score],
    runs: Runs,
    measure: Measure,
    comparison: Comparison,
    pairs: Sequence[Verdict],
) -> Standing:
    # The scale falls as an accuracy rises, so its interval turns around.
    mean, *ends = (
        None if x is None or runs.all_failed else measure.from_scale(x)
        for x in comparison.mean_of(label)
    )
    low, high = sorted(e for e in ends if e is not None) or (None, None)
    return Standing(
        place=place,
        label=label,
        runs=runs.count,
        failed=runs.failed,
        mean=mean,
        low=low,
        high=high,
        median=_median(label, scores, measure),
        better_than=tuple(
            p.second for p in pairs if p.first == label and p.outcome == "better"
        ),
        worse_than=tuple(
            p.first for p in pairs if p.second == label and p.outcome == "better"
        ),
    )


def _median(label: str, scores: Sequence[Score], measure: Measure) -> float | None:
    """Return the median score, where failed runs are worse than all others."""
    worst = -math.inf if measure.kind == "accuracy" else math.inf
    known = [worst if s is None or has_failed(s, label) else float(s) for s in scores]
    middle = float(np.median(known)) if known else math.nan
    return middle if math.isfinite(middle) else None


def _notes(
    measure: Measure, comparison: Comparison, luck: Reruns, runs: list[Runs]
) -> tuple[str, ...]:
    notes: list[str] = []
    if comparison.tests and comparison.seed_spread is not None:
        margin = measure.effect(comparison.margin * comparison.seed_spread)
        shown = f"{margin:.4g} times" if measure.is_ratio else f"{margin:.3g}"
        known = luck.spread is not None
        notes.append(
            f"A difference counts beyond {shown}, "
            f"{comparison.margin:g} standard deviations of a run. The chance of any "
            f"false verdict is at most {comparison.alpha:.0%}"
            f"{'.' if known else ' for these settings.'}"
        )
        if len(comparison.tests) > 1:
            notes.append(
                f"The intervals of all {len(comparison.tests)} pairs hold together."
            )
        if not known:
            notes.append(
                "How much another search for the settings might change is not known: "
                "an optimizer may seem better because its search was luckier."
            )
    if any(r.failed for r in runs):
        counts = "its budget" if measure.kind == "effort" else "the limit"
        if measure.limit is None:
            counts = "twice the worst of the others"
            if not measure.is_ratio:
                counts = "the worst of the others and the range of all"
        notes.append(f"A run without a score counts as {counts}.")
    return tuple(notes)
