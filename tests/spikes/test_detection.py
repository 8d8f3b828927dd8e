"""Robust z-scores, batch losses from means, and what counts as an accident."""

import math

import numpy as np
import pytest

from keras_optlab.spikes import BatchLosses, Execution, Judge, Outliers
from keras_optlab.spikes.outliers import FEWEST


def filled(values, **arguments):
    window = Outliers(**{"threshold": 5.0, "ratio": 3.0} | arguments)
    window.add(values)
    return window


def test_the_score_is_that_of_median_and_mad_of_logarithms():
    values = np.exp(np.arange(21.0))  # logarithms 0 to 20: median 10, MAD 5
    window = filled(values)
    assert window.score(math.exp(17)) == pytest.approx(7 / (1.4826 * 5))
    assert window.limit == pytest.approx(math.exp(10 + 5 * 1.4826 * 5))
    assert window.median == pytest.approx(math.exp(10))


def test_values_that_may_be_negative_are_scored_as_they_are():
    window = filled(np.arange(-10.0, 11.0))  # median 0, MAD 5
    assert window.score(37.065) == pytest.approx(5)
    assert not window.is_spike(37)
    assert window.is_spike(37.1)


def test_a_spike_is_some_times_larger_than_the_median():
    values = np.tile([0.99, 1.0, 1.01], 10)
    assert filled(values).limit == pytest.approx(3)
    assert filled(values, ratio=1.0).limit < 1.1
    assert filled(-values).limit == pytest.approx(1)  # -1 + (3 - 1) * |-1|


def test_half_of_the_window_may_be_bad():
    clean = np.tile([0.9, 1.0, 1.1], 20)
    assert filled([*clean, *[1e6] * 50], size=200).limit < 100


def test_a_few_values_are_no_statistics():
    window = filled([1.0, 2.0])
    assert math.isnan(window.score(50))
    assert not window.is_spike(199)
    assert window.is_spike(201)
    assert not filled([]).is_spike(1e30)
    assert not filled([0.0]).is_spike(1e30)
    assert filled([]).is_spike(math.nan)
    assert filled([]).is_spike(math.inf)


def test_equal_values_make_no_spike():
    assert not filled([2.0] * 50).is_spike(1e9)
    assert filled([2.0] * 50).is_spike(math.inf)


@pytest.mark.parametrize("deviation", [0.1, 1.0, 2.0])
def test_ordinary_losses_are_no_spikes(deviation):
    random = np.random.default_rng(0)
    window, found = filled([]), 0
    for x in np.exp(deviation * random.normal(size=3_000)):
        found += window.is_spike(x)
        window.add([x])
    assert found <= 1


@pytest.mark.parametrize("at_once", [1, 4])
def test_batch_losses_come_from_running_means(at_once):
    losses = np.random.default_rng(0).random(40)
    running = BatchLosses()
    for i in range(0, 40, at_once):
        mean = float(losses[: i + at_once].mean())
        found = running.next(at_once, mean)
        assert found == pytest.approx(losses[i : i + at_once].mean())


def test_batches_that_the_metrics_leave_out():
    running = BatchLosses()
    assert running.next(1, 2.0) == 2
    assert running.next(1, math.nan, left_out=1) is None  # the report has it, yet
    assert running.next(1, 3.0) == 4  # the mean of 2 and 4
    assert running.next(2, math.nan, left_out=1) is None
    assert running.next(1, 5.0) is None  # the mean before is not known
    assert running.next(1, 5.0) == 5


def executions(losses, norms=None, first=0, limit=math.inf):
    """Return executions of one batch, as reported by Keras and the engine."""
    norms = losses if norms is None else norms
    applied = [bool(n <= limit) for n in norms]
    counted = np.cumsum(applied)
    total = np.cumsum(np.where(applied, losses, 0.0))
    means = [
        (t + (0 if a else x)) / max(1, c + (not a))
        for t, a, x, c in zip(total, applied, losses, counted, strict=True)
    ]
    rows = zip(means, norms, applied, strict=True)
    return [Execution(first + i, 1, m, [(n, a)]) for i, (m, n, a) in enumerate(rows)]


def judge(**arguments):
    return Judge(filled([], **arguments), filled([], **arguments))


ORDINARY = np.tile([0.9, 1.0, 1.1], 20)


def test_a_spike_of_the_loss_ends_the_look():
    losses = ORDINARY.copy()
    losses[40:45] = 50
    [found] = judge().accidents(executions(losses, norms=ORDINARY))
    assert (found.at, found.what, found.applied) == (40, "loss", True)
    assert found.value == pytest.approx(50)
    assert found.typical == pytest.approx(1.0)
    assert found.score > 5
    assert str(found).startswith("a spike of the loss, 50 (median 1, z = ")


def test_steps_that_were_not_applied_are_accidents_one_by_one():
    watch = judge()
    assert not watch.accidents(executions(ORDINARY))
    limit = watch.norms.limit
    assert limit == pytest.approx(3, rel=0.01)
    watch.running = BatchLosses()
    norms = ORDINARY.copy()
    norms[[7, 20]] = 9, math.nan
    found = watch.accidents(executions(ORDINARY, norms, first=100, limit=limit))
    assert [(x.at, x.finite, x.applied) for x in found] == [
        (107, True, False),
        (120, False, False),
    ]
    assert str(found[1]) == "the gradient is not finite"
    assert watch.norms.limit == limit


def test_norms_at_another_level_are_no_spikes():
    watch = judge()
    watch.accidents(executions(ORDINARY))
    watch.running = BatchLosses()
    found = watch.accidents(executions(ORDINARY, 10 * ORDINARY, limit=3))
    assert not found
    assert watch.norms.limit == pytest.approx(30, rel=0.01)


def test_steps_not_applied_for_another_reason_are_no_accidents():
    rows = executions(ORDINARY)
    rows[30] = Execution(30, 1, rows[30].report, [(1.0, False)])
    assert not judge().accidents(rows)


def test_a_loss_that_is_not_finite():
    losses = ORDINARY.copy()
    losses[3] = math.nan
    [found] = judge().accidents(executions(losses, norms=ORDINARY))
    assert (found.at, found.finite) == (3, False)
    assert str(found) == "the loss is nan"


def test_losses_without_means_and_without_norms():
    watch = judge()
    watch.running = None
    losses = [*ORDINARY, 40.0]
    rows = [Execution(i, 1, x) for i, x in enumerate(losses)]
    [found] = watch.accidents(rows)
    assert (found.at, found.value) == (60, 40)
    assert not watch.accidents([Execution(i, 1) for i in range(FEWEST)])
