"""Stopping after a given time."""

import pytest

from keras_optlab.callbacks.time_stopping import TimeStopping
from tests.support.fitting import At, Clock, EveryStep, compiled, fail, fit


def stopping_after(seconds, clock, verbose=0):
    stopping = TimeStopping(seconds, verbose)
    stopping.clock = clock
    return stopping


@pytest.mark.parametrize(
    ("seconds", "batches", "epoch"), [(5, 1, 0), (25, 3, 1), (30, 3, 1), (31, 4, 1)]
)
def test_it_stops_at_the_batch_at_which_the_time_has_passed(seconds, batches, epoch):
    clock, steps = Clock(seconds=10), EveryStep(lambda model: None)
    stopping = stopping_after(seconds, clock)
    history = fit(compiled(), [clock, steps, stopping])  # of two batches an epoch
    assert (stopping.stopped_epoch, len(history.epoch)) == (epoch, epoch + 1)
    assert max(steps.kept) - min(steps.kept) == batches


def test_the_time_also_passes_between_the_batches():
    clock = Clock(seconds=0)
    late = At(1, lambda _: setattr(clock, "now", clock.now + 30))
    stopping = stopping_after(25, clock)
    assert len(fit(compiled(), [clock, late, stopping]).epoch) == 2


def test_every_fit_has_its_own_time(capsys):
    clock, model = Clock(seconds=10), compiled()
    stopping = stopping_after(65, clock, verbose=1)
    for _ in range(2):
        assert len(fit(model, [clock, stopping], epochs=3).epoch) == 3
        assert stopping.stopped_epoch is None
    assert capsys.readouterr().out == ""
    fit(model, [clock, stopping], epochs=5)
    assert capsys.readouterr().out == (
        "TimeStopping: Stopped in epoch 4: 70 seconds have passed.\n"
    )


def test_it_says_nothing_of_what_another_stopped(capsys):
    with pytest.raises(RuntimeError, match="failed"):
        fit(compiled(), [TimeStopping(verbose=1), At(0, fail)])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("seconds", "error"), [(0, ValueError), (-1, ValueError), ("1 h", TypeError)]
)
def test_a_time_that_is_none_is_refused(seconds, error):
    with pytest.raises(error, match=f"must be .*Received: seconds={seconds!r}"):
        TimeStopping(seconds)
