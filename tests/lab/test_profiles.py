"""Performance profiles, by hand."""

import json
import math

import pytest

from keras_optlab.lab.statistics import performance_profiles

COSTS = {
    "a": {"mlp": 100, "cnn": 300, "gpt": None, "rnn": None},
    "b": {"mlp": 200, "cnn": 100, "gpt": 500, "rnn": None},
}


def test_shares_rise_at_the_ratios_to_the_best():
    a, b = performance_profiles(COSTS)
    assert (a.label, a.ratios, a.shares) == ("a", (1.0, 3.0), (0.25, 0.5))
    assert (b.label, b.ratios, b.shares) == ("b", (1.0, 2.0), (0.5, 0.75))
    assert a.at(2.99) == 0.25
    assert a.at(3) == a.at(1e9) == 0.5  # nobody solved the last one
    assert a.at(0.5) == 0


def test_the_area_is_the_mean_share_over_the_logarithm():
    a, b = performance_profiles(COSTS)
    assert a.area(9) == pytest.approx((0.25 + 0.5) / 2)
    assert a.area(3) == pytest.approx(0.25)
    assert b.area(4) == pytest.approx((0.5 + 0.75) / 2)
    (alone,) = performance_profiles({"a": [3, 4]})
    assert alone.area(10) == pytest.approx(1)


def test_ties_are_best_for_both_and_seeds_may_be_a_list():
    a, b = performance_profiles({"a": [1.0, 2.0], "b": [1.0, math.nan]})
    assert a.at(1) == 1
    assert b.at(1) == 0.5


def test_one_that_is_never_the_best_starts_at_zero():
    _, b = performance_profiles({"a": [1.0], "b": [2.0]})
    assert (b.at(1), b.at(2)) == (0, 1)


def test_a_profile_is_json():
    values = json.loads(json.dumps(performance_profiles(COSTS)[0].as_dict()))
    assert values == {"label": "a", "ratios": [1, 3], "shares": [0.25, 0.5]}


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({}, "at least one optimizer and one problem"),
        ({"a": []}, "at least one optimizer and one problem"),
        ({"a": [1, 2], "b": [1]}, "the same problems"),
        ({"a": [0]}, "must be > 0"),
    ],
)
def test_bad_costs_are_refused(costs, message):
    with pytest.raises(ValueError, match=message):
        performance_profiles(costs)


def test_a_bad_end_of_the_area_is_refused():
    with pytest.raises(ValueError, match="Received: up_to=1"):
        performance_profiles(COSTS)[0].area(1)
