"""Scores of records: to choose settings by, and to search by."""

import pytest

from keras_optlab.lab.problems import Problem, Target
from keras_optlab.lab.scores import FAILED, promise, score

PROBLEM = Problem(
    model=lambda: None,
    data=lambda: None,
    loss="mse",
    target=Target("accuracy", 0.98),
    batch_size=1,
    epochs=1,
)


@pytest.fixture(autouse=True)
def _budget(monkeypatch):
    monkeypatch.setattr(Problem, "updates", 1000)


def record(accuracy, planned, reached=None):
    of_target = (
        None if reached is None else {"updates": reached, "seconds": reached / 10}
    )
    return {
        "value": accuracy,
        "planned": planned,
        "reached": of_target,
        "step_seconds": 0.1,
    }


SLOW = record(0.981, 1000, reached=900)
SHORT = record(0.978, 300)  # would need about 300 * 1.1**3
BAD = record(0.90, 1000)


def test_a_setting_that_reached_the_target_is_chosen():
    scores = [score(r, PROBLEM, "updates") for r in (SLOW, SHORT, BAD)]
    assert scores[0] == 900
    assert scores == sorted(scores)


def test_a_search_goes_on_near_a_short_training_that_just_missed_the_target():
    assert promise(SHORT, PROBLEM, "updates") == pytest.approx(399.3)
    assert promise(SHORT, PROBLEM, "seconds") == pytest.approx(39.93)
    assert promise(SLOW, PROBLEM, "updates") == 900
    assert promise(BAD, PROBLEM, "updates") > 10_000


@pytest.mark.parametrize("objective", ["updates", "seconds", "final"])
def test_a_training_that_diverged_is_worse_than_all(objective):
    failed = {"value": None, "planned": 300, "step_seconds": 0.1}
    assert promise(failed, PROBLEM, objective) == FAILED


def test_the_final_value_counts_as_it_is():
    assert promise(SHORT, PROBLEM, "final") == pytest.approx(0.022)
