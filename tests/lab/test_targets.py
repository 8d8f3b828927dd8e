"""Steps to targets."""

import json
import math

import pytest

from keras_optlab.lab.statistics import first_reached, target_table

STEPS = [10, 20, 30]
CURVES = {
    "slow": [(STEPS, [0.5, 0.7, 0.9]), (STEPS, [0.5, 0.8, None])],
    "fast": [
        (STEPS, [0.8, 0.9, 0.95]),
        (STEPS, [0.7, 0.9, 0.9]),
        (STEPS, [0.1, math.nan, 0.2]),
    ],
}


def test_the_first_evaluation_that_meets_the_target_counts():
    assert first_reached(STEPS, [0.9, 0.4, 0.6], 0.5) == 20
    assert first_reached(STEPS, [0.9, 0.5, 0.4], 0.5) == 20  # itself included
    assert first_reached(STEPS, [0.9, math.nan, None], 0.5) is None
    assert first_reached(STEPS, [0.4, 0.9, 0.9], 0.9, higher_is_better=True) == 20
    assert first_reached([], [], 0.5) is None


def test_rows_are_ordered_by_median_and_count_who_reached():
    table = target_table(CURVES, [0.7, 0.9], effort="steps", higher_is_better=True)
    (fast, slow), later = table.rows[:2], table.rows[2:]
    assert (fast.label, fast.median, fast.reached, fast.runs) == ("fast", 10, 2, 3)
    assert fast.slowest is None
    assert fast.expected == (10 + 10 + 30) / 2
    assert (slow.median, slow.fastest, slow.slowest) == (20, 20, 20)
    assert [r.label for r in later] == ["fast", "slow"]
    # Half of the runs of `slow` did not reach 0.9.
    assert (later[1].median, later[1].reached, later[1].expected) == (None, 1, 60)


def test_the_table_is_text_and_json():
    table = target_table(CURVES, [0.95], effort="seconds", higher_is_better=True)
    assert str(table).splitlines()[0].split() == [
        *("target", "seconds", "fastest", "slowest", "reached", "expected")
    ]
    assert "0 of 2" in str(table)
    values = json.loads(json.dumps(table.as_dict(), allow_nan=False))
    assert values["rows"][0]["label"] == "fast"


def test_bad_curves_are_refused():
    with pytest.raises(ValueError, match="same length. Received: 1 efforts, 2 values"):
        first_reached([1], [1, 2], 0.5)
    with pytest.raises(ValueError, match="must be ascending"):
        first_reached([2, 1], [1, 2], 0.5)
    with pytest.raises(ValueError, match="`targets` must not be empty"):
        target_table(CURVES, [])
    with pytest.raises(ValueError, match="at least one evaluation"):
        target_table({"a": [([], [])]}, [0.5])
