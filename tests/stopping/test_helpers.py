"""Waits, limits, deadlines and directions of metrics, without a `fit`."""

import math

import pytest

from keras_optlab.stopping.deadline import Deadline
from keras_optlab.stopping.direction import check_mode, infer_mode
from keras_optlab.stopping.limits import Limits
from keras_optlab.stopping.wait import Wait


@pytest.mark.parametrize(
    ("mode", "limit", "min_delta", "values", "improved", "exhausted"),
    [
        ("min", 2, 0.0, [3, 2, 2, 1], "yyny", False),
        ("min", 2, 0.0, [3, 4, 5], "ynn", True),
        ("max", 2, 0.0, [3, 4, 5], "yyy", False),
        ("max", 1, 0.0, [0.5, 0.5], "yn", True),
        ("min", 2, 0.5, [3, 2.6, 2.5, 2.4], "ynny", False),
        ("max", 3, 1.0, [1, 2, 2.1, 3.1], "ynyn", False),
        ("min", 2, 0.0, [math.nan, math.nan], "nn", True),
        ("max", 2, 0.0, [math.nan, 1, math.nan, 2], "nyny", False),
        ("min", 9, 0.0, [math.inf, 1e30, -math.inf], "nyy", False),
        ("min", 0, 0.0, [2, 1], "yy", False),
        ("min", 0, 0.0, [2, 2], "yn", True),
    ],
)
def test_a_wait(mode, limit, min_delta, values, improved, exhausted):
    wait = Wait(mode, limit, min_delta)
    seen = [wait.update(v, now) for now, v in enumerate(values, 1)]
    assert "".join("ny"[x] for x in seen) == improved
    assert wait.exhausted is exhausted


def test_a_wait_in_seconds():
    wait = Wait("min", 60.0, start=1000.0)
    waits = []
    for value, now in [(5, 1050.0), (6, 1100.0), (4, 1109.5), (4, 1169.0), (4, 1169.5)]:
        wait.update(value, now)
        waits.append((wait.waited, wait.exhausted))
    assert waits == [(0, False), (50, False), (0, False), (59.5, False), (60, True)]


def test_a_value_that_never_comes_is_waited_for_from_the_start():
    wait = Wait("min", 60.0, start=1000.0)
    wait.update(math.nan, 1060.0)
    assert wait.exhausted


@pytest.mark.parametrize(
    ("cooldown", "exhausted_at"), [(0, [3, 5, 7]), (1, [3, 5, 7]), (3, [3, 7, 11])]
)
def test_no_wait_begins_in_a_cooldown(cooldown, exhausted_at):
    wait, exhausted = Wait("min", 2), []
    for now in range(1, 12):
        wait.update(1.0, now)
        if wait.exhausted:
            exhausted.append(now)
            wait.restart(cooldown)
    assert exhausted[:3] == exhausted_at


@pytest.mark.parametrize(
    ("mode", "limits", "values", "crossed"),
    [
        ("min", {"target": 0.5}, [0.6, 0.5, 0.4], [None, "target", "target"]),
        ("max", {"target": 0.5}, [0.4, 0.5], [None, "target"]),
        ("min", {"divergence": 2}, [2, 2.1], [None, "divergence"]),
        ("max", {"divergence": -2}, [-2, -3], [None, "divergence"]),
        ("min", {}, [math.nan, math.inf, 1e300], ["check_finite"] * 2 + [None]),
        ("min", {"check_finite": False}, [math.nan, math.inf], [None, None]),
        (
            "min",
            {"check_finite": False, "target": -9, "divergence": 9},
            [math.nan, math.inf, -math.inf],
            [None, "divergence", "target"],
        ),
    ],
)
def test_limits(mode, limits, values, crossed):
    limits = Limits(mode, **limits)
    assert [limits.crossed(v) for v in values] == crossed


@pytest.mark.parametrize(
    ("mode", "target", "divergence"), [("min", 2, 1), ("max", 1, 2), ("min", 1, 1)]
)
def test_a_target_beyond_the_divergence_is_refused(mode, target, divergence):
    with pytest.raises(ValueError, match=f"Received: target={target}, divergence="):
        Limits(mode, target, divergence)


def test_a_deadline_that_there_is_not_never_passes():
    times = iter([0.0, 1e30])
    assert not Deadline(None, clock=lambda: next(times)).passed


@pytest.mark.parametrize(
    ("names", "mode"),
    [
        ("loss val_loss head_loss accuracy_loss mse val_mae rmse_1 error", "min"),
        ("mean_absolute_error val_binary_crossentropy kl_divergence logcosh", "min"),
        ("acc val_accuracy sparse_categorical_accuracy auc auc_2 out_acc", "max"),
        ("precision_1 recall f1_score r2_score mean_io_u top-1-acc", "max"),
        ("cosine_similarity sensitivity_at_specificity", "max"),
    ],
)
def test_the_mode_is_inferred_from_the_name(names, mode):
    other = {"min": "max", "max": "min"}[mode]
    for name in names.split():
        assert infer_mode(name) == check_mode(name, mode) == mode
        received = f"Received: monitor='{name}', mode='{other}'"
        with pytest.raises(ValueError, match=received):
            check_mode(name, other)


@pytest.mark.parametrize(
    "name",
    ["val_score", "lr", "true_positives", "neg_mse", "neg_loss", "precision_error"],
)
def test_a_name_that_does_not_tell_needs_a_mode(name):
    with pytest.raises(ValueError, match=f"Received: monitor='{name}'.*mode='min'"):
        check_mode(name, "auto")
    assert (check_mode(name, "max"), check_mode(name, "min")) == ("max", "min")
