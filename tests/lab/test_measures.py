"""Scores on the scale on which they are compared."""

import math

import numpy as np
import pytest

from keras_optlab.lab.statistics import Measure


@pytest.mark.parametrize(
    ("measure", "score", "x"),
    [
        (Measure("loss"), 0.3, math.log(0.3)),
        (Measure("accuracy"), 0.98, math.log(0.02)),
        (Measure("effort", limit=500), 120, math.log(120)),
        (Measure("value"), -2.5, -2.5),
    ],
)
def test_a_score_goes_to_the_scale_and_back(measure, score, x):
    found = measure.on_scale({"a": [score]})["a"]
    assert found == pytest.approx([x])
    assert measure.from_scale(found[0]) == pytest.approx(score)


def test_zero_counts_as_half_of_the_smallest_score_or_step():
    assert Measure().on_scale({"a": [0.0, 0.2], "b": [0.1]})["a"][0] == pytest.approx(
        math.log(0.05)
    )
    perfect = Measure("accuracy", resolution=1 / 100).on_scale({"a": [1.0, 0.9]})["a"]
    assert perfect == pytest.approx(np.log([0.005, 0.1]))
    assert Measure().on_scale({"a": [0.0, 0.0]})["a"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("measure", "scores", "counts"),
    [
        (Measure("loss"), [0.1, 0.3], 0.6),
        (Measure("loss", limit=2.3), [0.1, 0.3], 2.3),
        (Measure("accuracy"), [0.9, 0.8], 0.6),
        (Measure("accuracy"), [0.9, 0.2], 0.0),
        (Measure("accuracy", limit=0.1), [0.9, 0.8], 0.1),
        (Measure("value"), [-1.0, 2.0], 5.0),
        (Measure("effort", limit=500), [10, 20], 500),
    ],
)
def test_a_failed_run_is_worse_than_all_others(measure, scores, counts):
    found = measure.on_scale({"a": scores, "b": [None, math.nan]})
    for x in found["b"]:
        assert measure.from_scale(x) == pytest.approx(counts)
        assert x > found["a"].max()


def test_nothing_counts_beyond_the_limit():
    found = Measure("effort", limit=500).on_scale({"a": [400, 800]})["a"]
    assert np.exp(found) == pytest.approx([400, 500])


def test_the_error_is_named_after_the_accuracy():
    assert Measure("accuracy", "test accuracy").compared == "test error"
    assert Measure("accuracy").compared == "error"
    assert Measure("loss", "test loss").compared == "test loss"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "acuracy"}, "Did you mean 'accuracy'"),
        ({"kind": "effort"}, "must be the budget"),
        ({"kind": "effort", "limit": 0}, "`limit` must be > 0"),
        ({"kind": "accuracy", "limit": 1.0}, "`limit` must be below 1"),
        ({"limit": math.nan}, "`limit` must be a finite number"),
        ({"resolution": 0.0}, "`resolution` must be > 0"),
        ({"resolution": "1"}, "`resolution` must be a finite number"),
    ],
)
def test_bad_measures_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Measure(**arguments)
