"""Verdicts as a user reads them."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from keras_optlab.lab.statistics import Measure, judge

EFFORT = Measure("effort", "steps to 98 %", limit=1000)


def losses(rng, mean, spread=0.05, seeds=5):
    return np.exp(rng.normal(np.log(mean), spread, seeds)).tolist()


@pytest.fixture
def study():
    rng = np.random.default_rng(3)
    return {
        "sgd": losses(rng, 0.5),
        "adam": losses(rng, 0.31),
        "adamw": losses(rng, 0.3),
        "muon": losses(rng, 0.2),
    }


def test_the_better_the_worse_and_those_that_are_not_distinguishable(study):
    found = judge(study)
    assert found.winner == "muon"
    assert [s.label for s in found.ranking] == ["muon", "adamw", "adam", "sgd"]
    assert found.verdict("muon", "sgd").outcome == "better"
    assert found.verdict("sgd", "muon").outcome == "worse"
    assert found.verdict("adam", "adamw").outcome == "not distinguishable"
    assert found.ranking[1].better_than == ("sgd",)
    assert found.ranking[1].worse_than == ("muon",)
    assert len(found.pairs) == 6


def test_a_verdict_has_the_ratio_and_its_interval_from_both_sides(study):
    found = judge(study)
    ratio = math.exp(np.mean(np.log(study["muon"])) - np.mean(np.log(study["sgd"])))
    one, other = found.verdict("muon", "sgd"), found.verdict("sgd", "muon")
    assert one.effect == pytest.approx(ratio)
    assert one.low < 0.4 < one.high < 1
    assert other.effect == pytest.approx(1 / ratio)
    assert (other.low, other.high) == pytest.approx((1 / one.high, 1 / one.low))


def test_the_interval_of_a_mean_is_a_score(study):
    best = judge(study).ranking[0]
    assert best.mean == pytest.approx(math.exp(np.mean(np.log(study["muon"]))))
    assert best.low < best.mean < best.high
    assert best.median == np.median(study["muon"])


def test_for_accuracies_errors_are_compared_and_more_is_better():
    found = judge(
        {"a": [0.98, 0.981, 0.979], "b": [0.99, 0.9895, 0.9905]},
        Measure("accuracy", "test accuracy"),
    )
    assert found.winner == "b"
    assert found.pairs[0].effect == pytest.approx(0.5, abs=0.01)
    assert "test error 0.5 times a's" in str(found.pairs[0])
    assert found.ranking[0].low < 0.99 < found.ranking[0].high


def test_values_below_zero_are_compared_by_differences():
    found = judge({"a": [-3.0, -3.1, -2.9], "b": [1.0, 1.1, 0.9]}, Measure("value"))
    assert found.winner == "a"
    assert found.pairs[0].effect == pytest.approx(-4)
    assert found.verdict("b", "a").effect == pytest.approx(4)
    assert "value minus b's is -4" in str(found)


def test_a_run_that_never_reaches_the_target_counts_as_the_budget():
    found = judge({"a": [900, 1000, 950], "b": [900, None, 950]}, EFFORT)
    same = found.verdict("a", "b")
    assert same.effect == pytest.approx(1)
    assert [s.failed for s in found.ranking] == [0, 1]
    assert "1 of 3 runs of b did not reach the target" in str(same)


def test_one_that_never_reaches_the_target_is_worse_than_one_that_always_does():
    found = judge({"a": [300, 310, 290], "b": [None, math.nan, math.inf]}, EFFORT)
    pair = found.verdict("a", "b")
    assert pair.outcome == "better"
    assert (pair.low, pair.high) == (None, None)
    assert "at most 0.3 times b's" in str(pair)
    assert found.ranking[1].mean is None
    assert found.ranking[1].median is None


def test_two_that_never_reach_the_target_are_not_distinguishable():
    found = judge({"a": [None] * 5, "b": [None] * 5, "c": [300, 310, 290]}, EFFORT)
    pair = found.verdict("a", "b")
    assert pair.outcome == "not distinguishable"
    assert (pair.effect, pair.runs_needed) == (None, None)
    assert "a larger budget or an easier target" in str(pair)
    assert found.winner == "c"
    nobody = judge({"a": [None] * 3, "b": [None] * 3}, EFFORT)
    assert nobody.winner is None
    assert "not distinguishable" in str(nobody)


def test_an_optimizer_that_always_diverges_is_worse():
    found = judge({"a": [0.3, 0.31, 0.29], "b": [math.nan] * 3})
    assert found.winner == "a"
    assert "3 of 3 runs of b failed" in str(found.pairs[0])
    assert found.pairs[0].effect is None
    assert found.verdict("b", "a").outcome == "worse"


def test_one_that_diverges_once_hides_no_difference_between_others(study):
    alone = judge(study)
    found = judge({**study, "wild": [0.3, 0.3, 0.31, math.nan, 40.0]})
    assert alone.verdict("muon", "adam").outcome == "better"
    assert found.verdict("muon", "adam").outcome == "better"
    assert found.verdict("wild", "adam").outcome == "not distinguishable"


def test_nobody_has_a_score():
    found = judge({"a": [math.nan] * 3, "b": [None] * 3})
    assert found.pairs[0].outcome == "not distinguishable"
    assert "No run has a score." in str(found)


def test_a_single_run_is_never_a_verdict(study):
    found = judge({**study, "lion": [1e-6]})
    for other in study:
        pair = found.verdict("lion", other)
        assert pair.outcome == "not distinguishable"
        assert pair.p is None
        assert pair.runs_needed == 2
        assert "A single run does not show how much runs vary" in str(pair)
    assert found.verdict("muon", "sgd").outcome == "better"
    assert judge({"a": [1.0], "b": [2.0]}).winner is None
    assert judge({"a": [], "b": [2.0, 2.1]}).pairs[0].outcome == "not distinguishable"


def test_runs_that_do_not_vary_are_no_verdict():
    found = judge({"a": [0.1, 0.1, 0.1], "b": [0.3, 0.3, 0.3]})
    assert found.pairs[0].outcome == "not distinguishable"
    assert "all runs of an optimizer have the same score" in str(found.pairs[0])
    assert found.seed_spread is None
    one = judge({"a": [0.1] * 3, "b": [0.3] * 3, "c": [0.29, 0.3, 0.31]})
    assert one.winner == "a"  # the runs of c show how much runs vary


def test_a_run_that_missed_the_target_needs_at_least_its_own_seconds():
    scores = {
        "lost": [None] * 3,
        "fast": [3.5, 3.4, 3.6],
        "slow": [20.0, 21.0, 22.0],
    }

    def found(lost):
        limits = {"fast": 4.0, "slow": 40.0, "lost": lost}
        return judge(scores, Measure("effort", "seconds to 98 %", limit=limits))

    short, long = found(3.0), found(40.0)
    for judgement in short, long:
        assert [s.label for s in judgement.ranking] == ["fast", "slow", "lost"]
        assert judgement.verdict("fast", "slow").outcome == "better"
    assert long.verdict("fast", "lost").outcome == "better"
    assert long.verdict("slow", "lost").outcome == "better"
    for label in "fast", "slow":
        verdict = short.verdict(label, "lost")
        assert verdict.outcome == "not distinguishable"
        assert "It takes a larger budget" in verdict.sentence


def test_who_missed_the_target_now_and_then_is_not_called_better_by_seconds():
    scores = {"now and then": [1.0, None, 1.1, 1.05], "always": [8.0, 8.1, 8.2, 8.0]}
    limits = {"now and then": 1.2, "always": 10.0}
    assert judge(scores, Measure("effort", limit=limits)).winner is None
    scores["now and then"][1] = 1.1
    assert judge(scores, Measure("effort", limit=limits)).winner == "now and then"


def test_the_text_of_many_optimizers_has_some_of_the_verdicts():
    found = judge({f"o{i}": [i, i + 0.1] for i in range(1, 31)})
    lines = str(found).splitlines()
    assert "`pairs` has all 435 verdicts." in lines
    assert len(lines) < 70


def test_equal_scores_are_not_distinguishable():
    same = [0.3, 0.31, 0.32]
    pair = judge({"a": same, "b": same}).pairs[0]
    assert pair.effect == 1
    assert "within the margin" in str(pair)
    assert pair.runs_needed is None


def test_more_runs_are_advised_where_they_help():
    rng = np.random.default_rng(1)
    near = {"a": losses(rng, 0.3, seeds=3), "b": losses(rng, 0.32, seeds=3)}
    pair = judge(near).pairs[0]
    assert pair.outcome == "not distinguishable"
    assert pair.runs_needed > 3
    assert f"{pair.runs_needed} runs each" in str(pair)


def test_settings_that_are_far_apart_forbid_a_verdict(study):
    rng = np.random.default_rng(0)
    wide = [losses(rng, m, seeds=2) for m in (0.3, 0.6, 1.2)]
    narrow = [losses(rng, 0.3, seeds=2) for _ in range(3)]
    found = judge(study, reruns={"muon": wide, "sgd": wide})
    pair = found.verdict("muon", "sgd")
    assert pair.outcome == "not distinguishable"
    assert "more trials of tuning" in str(pair)
    # adamw and adam were not tuned, so nothing could have changed there.
    assert found.verdict("adam", "sgd").outcome == "not distinguishable"
    assert judge(study, reruns={"sgd": wide}).verdict("muon", "adam").outcome == (
        "better"
    )
    sure = judge(study, reruns=dict.fromkeys(study, narrow))
    assert sure.verdict("muon", "sgd").outcome == "better"
    assert sure.tuning_spread < 0.1


def test_reruns_that_are_too_few_count_as_those_of_the_others(study):
    rng = np.random.default_rng(0)
    wide = [losses(rng, m, seeds=2) for m in (0.3, 0.6, 1.2)]
    found = judge(study, reruns={"sgd": wide, "muon": [[0.2], [0.3]]})
    assert found.verdict("muon", "adam").outcome == "not distinguishable"
    nothing = judge(study, reruns={"muon": [[0.2], [0.3]]})
    assert nothing.tuning_spread is None
    assert "is not known" in str(nothing)


def test_a_judgement_is_json_and_text(study):
    found = judge({**study, "lion": [math.nan] * 5})
    values = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert values["winner"] == "muon"
    assert values["pairs"][0]["outcome"] == "better"
    assert values["ranking"][0]["better_than"] == ["adamw", "adam", "sgd", "lion"]
    text = str(found)
    assert text.startswith("muon has the best loss: better than all others.")
    for pair in found.pairs:
        assert pair.sentence in text


def test_one_optimizer_alone_is_ranked():
    found = judge({"a": [0.1, 0.2, 0.15]})
    assert found.pairs == ()
    assert found.winner is None
    assert found.leaders == ("a",)
    assert "measured alone" in str(found)


def test_leaders_are_those_the_first_is_not_better_than(study):
    del study["muon"]
    found = judge(study)
    assert found.winner is None
    assert found.leaders == ("adamw", "adam")
    assert "No optimizer is better than all others" in found.headline


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (({},), ValueError, "at least one. Received: scores={}"),
        (({"a": 3.0},), TypeError, "a list of scores"),
        (({"a": "0.1"},), TypeError, "a list of scores"),
        (({"a": ["0.1"]},), TypeError, "Received: a='0.1'"),
        (({"a": [True]},), TypeError, "Received: a=True"),
        (({"a": [-0.1]},), ValueError, 'kind="value"'),
        (({"a": [98.5]}, Measure("accuracy")), ValueError, "Divide percentages"),
        (({"a": [-1]}, EFFORT), ValueError, "must be >= 0"),
        (({"a": [1.0]}, "loss"), TypeError, "must be a Measure"),
    ],
)
def test_bad_scores_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        judge(*arguments)


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"margin": -1}, ValueError),
        ({"margin": math.inf}, ValueError),
        ({"margin": "0.5"}, ValueError),
        ({"alpha": 0}, ValueError),
        ({"alpha": 1.0}, ValueError),
        ({"reruns": {"b": [[0.1, 0.2]]}}, ValueError),
        ({"reruns": {"a": [0.1, 0.2]}}, TypeError),
        ({"reruns": [[0.1, 0.2]]}, ValueError),
    ],
)
def test_bad_arguments_are_refused(keywords, error):
    with pytest.raises(error, match=f"`{next(iter(keywords))}` must"):
        judge({"a": [0.1, 0.2]}, **keywords)


def test_an_unknown_pair_is_refused(study):
    with pytest.raises(KeyError, match="No pair of these"):
        judge(study).verdict("muon", "lion")


@pytest.mark.every  # a process of its own
def test_scipy_is_imported_only_by_a_judgement():
    code = (
        "import sys, keras_optlab.lab.statistics as s;"
        "assert 'scipy.special' not in sys.modules or 'jax' in sys.modules;"
        "sys.modules['scipy.special'] = None\n"
        "try: s.judge({'a': [0.1, 0.2], 'b': [0.3, 0.4]})\n"
        "except ImportError as error: print(error)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install keras-optlab[lab]" in ran.stdout


def test_the_interval_of_a_verdict_agrees_with_it():
    # Holm's test names a and b, whose own interval reaches into the margin
    scores = {
        "a": [0.103, 0.109, 0.099],
        "b": [0.129, 0.110, 0.119],
        "c": [0.210, 0.197, 0.184],
        "d": [0.257, 0.267, 0.282],
    }
    found = judge(scores)
    assert found.verdict("a", "b").outcome == "better"
    assert all(p.high <= 1.0001 / found.margin_effect for p in found.pairs)
