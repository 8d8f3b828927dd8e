"""The arithmetic of the verdicts, against SciPy and by hand."""

import numpy as np
import pytest
from scipy import stats

from keras_optlab.lab.statistics.more_runs import MOST_RUNS, POWER, runs_needed
from keras_optlab.lab.statistics.pair_tests import (
    LUCK_FACTOR,
    Noise,
    compare_pairs,
    holm,
    luck_of,
    pairs_of,
    shrink,
)
from keras_optlab.lab.statistics.reruns import setting_spread


def compare(means, noise, counts, margin=0.0, luck=0.0, luck_freedom=0.0):
    return compare_pairs(
        np.asarray(means),
        noise,
        np.asarray(counts, float),
        margin=margin,
        luck=np.broadcast_to(luck, np.shape(means)),
        luck_freedom=luck_freedom,
    )


def unshrunk(groups):
    counts = np.array([len(g) for g in groups], float)
    variances = np.array([np.var(g, ddof=1) for g in groups])
    return Noise(np.array(0.0), np.array(np.inf), variances, counts - 1)


def test_without_shrinking_and_margin_the_test_is_welchs():
    rng = np.random.default_rng(0)
    groups = [rng.normal(i, 1 + i, 4 + i) for i in range(4)]
    found = compare(
        [g.mean() for g in groups], unshrunk(groups), [len(g) for g in groups]
    )
    for i, j, p in zip(*pairs_of(4), found.p, strict=True):
        assert p == pytest.approx(
            stats.ttest_ind(groups[i], groups[j], equal_var=False).pvalue
        )


def test_the_margin_counts_against_both_signs():
    noise = Noise(np.array(4.0), np.array(np.inf), np.full(2, 4.0), np.full(2, 8.0))
    a = compare([0.0, 5.0], noise, [5, 5], margin=0.5)
    b = compare([5.0, 0.0], noise, [5, 5], margin=0.5)
    error = np.sqrt(2 * 4 / 5)
    student = stats.t(16)
    by_hand = student.sf((5 - 1) / error) + student.sf((5 + 1) / error)
    assert a.p == b.p == pytest.approx(by_hand)
    assert compare([0.0, 0.9], noise, [5, 5], margin=0.5).p > 0.5


def test_variances_are_shrunk_to_the_pool():
    noise = shrink(np.array([1.0, 2.0, 3.0]), np.array([5.0, 5.0, 5.0]))
    assert noise.pooled == 2.0
    assert noise.variances == pytest.approx([1.5, 2.0, 2.5])
    assert noise.freedom.tolist() == [8, 8, 8]
    assert noise.total == 12


def test_a_noisy_optimizer_keeps_its_variance_and_spoils_no_others():
    noise = shrink(np.array([1.0, 1.0, 1.0, 400.0]), np.full(4, 3.0))
    assert noise.pooled == pytest.approx((1 + 1 + 1 + 4) / 4)
    assert noise.variances[3] == 400
    assert noise.freedom[3] == 2


def test_runs_that_are_all_alike_do_not_enter_the_pool():
    noise = shrink(np.array([0.0, 0.0, 0.0, 2.0]), np.full(4, 3.0))
    assert noise.pooled == 2
    assert noise.total == 2
    assert (noise.variances > 0).all()
    assert shrink(np.zeros(3), np.full(3, 3.0)).pooled == 0


def test_the_median_is_that_of_the_runs_that_vary():
    for entries in ([3.0, 1.0], [3.0, 1.0, 2.0], [1.0, 1.5, 2.5, 9.0]):
        noise = shrink(np.array([*entries, 0.0]), np.full(len(entries) + 1, 3.0))
        capped = np.minimum(entries, 4 * np.median(entries))
        assert noise.pooled == pytest.approx(capped.mean())


def test_the_pool_gives_no_more_freedom_than_its_runs():
    noise = shrink(np.array([1.0, 1.0]), np.full(2, 3.0))
    assert compare([0.0, 1.0], noise, [3, 3]).freedom == 4  # not 2 * (4 + 2)


def test_holm_is_stepwise_and_in_the_order_given():
    rng = np.random.default_rng(0)
    for p in rng.uniform(0, 0.2, (20, 6)):
        found, before = np.empty(6), 0.0
        for step, at in enumerate(np.argsort(p)):
            before = found[at] = min(max(before, (6 - step) * p[at]), 1.0)
        assert holm(p) == pytest.approx(found)
    many = rng.uniform(0, 1, (5, 4, 6))
    assert holm(many)[3, 2] == pytest.approx(holm(many[3, 2]))


def test_luck_is_pooled_and_never_negative():
    even = np.ones(3)
    assert luck_of(np.array([-1.0, -2.0, 0.0]), even).tolist() == [0, 0, 0]
    found = luck_of(np.array([0.0, 1.0, 5.0]), even)
    assert found == pytest.approx(LUCK_FACTOR * np.array([2.0, 2.0, 3.5]))
    assert luck_of(np.array([0.0, 1.0, 5.0]), 0 * even) == pytest.approx(found)


def test_the_luck_of_a_noisy_optimizer_counts_little_for_others():
    found = luck_of(np.array([1.0, 1.0, 60.0]), np.array([1.0, 1.0, 40.0]))
    mean = (1 + 1 + 0.01 * 60) / 2.01
    by_hand = LUCK_FACTOR * np.array([mean, mean, (mean + 60) / 2])
    assert found == pytest.approx(by_hand)


def test_the_luck_of_tuning_widens_the_error_as_runs_do_not():
    noise = shrink(np.ones(2), np.full(2, 5.0))
    found = compare([0.0, 1.0], noise, [5, 5], luck=0.3, luck_freedom=4)
    assert found.error == pytest.approx(np.sqrt(2 / 5 + 0.6))


def test_the_excess_of_settings_is_unbiased():
    rng = np.random.default_rng(0)
    settings = rng.normal(0, 0.5, (4000, 3, 1)) + rng.normal(0, 1, (4000, 3, 2))
    excess, noise = np.mean([setting_spread(list(s)) for s in settings], axis=0)
    assert excess == pytest.approx(0.25, abs=0.04)
    assert noise == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("distance", "luck"), [(1.0, 0.0), (3.0, 0.5)])
def test_the_runs_that_are_advised_suffice_in_four_of_five_studies(distance, luck):
    n = runs_needed(distance, 2.0, luck, level=0.01, optimizers=20, luck_freedom=1e6)
    rng, studies = np.random.default_rng(0), 1500
    x = rng.normal(0, 1, (studies, 20, int(n))) + rng.normal(
        0, np.sqrt(luck / 2), (studies, 20, 1)
    )
    x[:, 0] += distance
    counts = np.full(20, n)
    found = compare_pairs(
        x.mean(-1),
        shrink(x.var(-1, ddof=1), counts),
        counts,
        margin=0.0,
        luck=np.full(20, luck / 2),
        luck_freedom=1e6,
    )
    # One-sided, as the margin makes the test.
    assert np.mean(found.p[:, 0] < 2 * 0.01) == pytest.approx(POWER, abs=0.06)


def test_where_no_number_of_runs_suffices_none_is_advised():
    few = {"level": 0.01, "optimizers": 7, "luck_freedom": 14.0}
    assert runs_needed(1.0, 2.0, 4.0, **few) == np.inf
    assert runs_needed(1e-3, 2.0, 0.0, **few) == np.inf
    assert 2 <= runs_needed(50.0, 2.0, 0.0, **few) < MOST_RUNS
