"""When trials of `tune` are ended early."""

import pytest

from keras_optlab.lab.pruning import Pruning, pruning_of


def trial(last, reached=None, length=100):
    """Return a record whose loss falls from 3 times the last value to it."""
    updates = [length // 4, length // 2, length]
    curve = {"updates": updates, "loss": [3 * last, 2 * last, last]}
    effort = None if reached is None else {"updates": reached, "seconds": reached / 10}
    return {"curve": curve, "reached": effort, "planned": length}


def of(records, number=0, objective="final", mode="min"):
    return pruning_of(records, number, 200, "loss", mode, objective)


TRIALS = [trial(x) for x in (1, 2, 3, 4, 5, 6)]


def test_the_worse_half_is_ended_at_each_rung():
    pruning = of(TRIALS)
    assert pruning.rungs == ((50, 12), (100, 8))  # of twice as long a training
    assert not pruning(40, 1.0, 99.0)
    assert pruning(50, 1.0, 13.0)
    assert not pruning(50, 1.0, 12.0)
    assert pruning(100, 1.0, 9.0)


def test_higher_is_better_where_the_mode_says_so():
    pruning = of(TRIALS, mode="max")
    assert pruning.rungs == ((50, 9), (100, 6))
    assert pruning(50, 1.0, 8.0)


def test_nothing_is_compared_with_few_trials_nor_in_the_third_bracket():
    assert of(TRIALS[:5]) == Pruning("min")
    assert of(TRIALS, number=2) == Pruning("min")


@pytest.mark.parametrize("objective", ["updates", "seconds"])
def test_a_target_is_given_up_after_half_as_long_again_as_the_best(objective):
    records = [*TRIALS, trial(1, reached=60), trial(1, reached=40), {"error": "x"}]
    pruning = of(records, objective=objective)
    most = {"updates": pruning.most_updates, "seconds": pruning.most_seconds}
    assert most[objective] == pytest.approx({"updates": 60, "seconds": 6}[objective])
    assert pruning(61, 6.1, 0.0)
    assert not pruning(59, 5.9, 99.0)
    assert of(TRIALS, objective=objective) == Pruning("min")
