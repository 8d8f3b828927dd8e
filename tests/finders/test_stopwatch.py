"""The time of a step in `fit`."""

import keras
import pytest

from keras_optlab.finders.stopwatch import Stopwatch
from tests.finders.models import BACKEND, X, Y, small


class Slow(keras.callbacks.Callback):
    """A clock by which a step takes 2 s, each first step of an epoch 10 s."""

    def __init__(self, at_once=1):
        super().__init__()
        self.now, self.at_once = 0.0, at_once

    def __call__(self):
        return self.now

    def on_train_batch_end(self, batch, logs=None):
        self.now += 10.0 if batch < self.at_once else 2.0 * self.at_once


def timed(seconds, epochs=50, at_once=1, size=70, **options):
    slow = Slow(at_once)
    watch = Stopwatch(seconds, at_once, clock=slow, **options)
    model = small(steps_per_execution=at_once)
    data = {"x": X[:size], "y": Y[:size], "batch_size": 5}
    history = model.fit(**data, epochs=epochs, verbose=0, callbacks=[slow, watch])
    return watch, len(history.epoch)


def test_first_and_last_executions_are_left_out():
    watch, epochs = timed(30.0)  # 14 steps an epoch, 12 of them measured
    assert watch.first == 10.0
    assert watch.step_seconds == 2.0
    assert epochs == 2
    assert watch.steps == 15


def test_it_ends_at_once_after_enough():
    watch, epochs = timed(6.0)
    assert (watch.steps, watch.elapsed, epochs) == (3, 6.0, 1)


@pytest.mark.every
def test_short_epochs_are_measured_whole():
    watch, epochs = timed(20.0, size=10)  # two steps, 12 s an epoch
    assert (watch.steps, watch.elapsed, epochs) == (4, 24.0, 3)


@pytest.mark.every
def test_whole_epochs_on_request():
    watch, epochs = timed(20.0, size=20, whole_epochs=True)  # four steps, 16 s
    assert (watch.steps, watch.elapsed, epochs) == (8, 32.0, 3)


@pytest.mark.every
@pytest.mark.skipif(BACKEND == "torch", reason="Keras refuses this on torch")
def test_steps_within_an_execution_count():
    watch, _ = timed(6.0, at_once=2)
    assert (watch.steps, watch.elapsed) == (4, 8.0)


@pytest.mark.every
def test_it_ends_at_the_deadline():
    watch, _ = timed(1000.0, deadline=15.0)
    assert (watch.steps, watch.elapsed) == (3, 6.0)


def test_data_without_a_length_is_refused():
    def batches():
        while True:
            yield X[:5], Y[:5]

    with pytest.raises(ValueError, match="Pass `steps_per_epoch`"):
        small().fit(batches(), verbose=0, callbacks=[Stopwatch(1.0, 1)])
