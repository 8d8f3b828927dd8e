"""`fit` warns of a learning-rate schedule that ends before the training."""

import warnings

import keras
import pytest

from keras_optlab import callbacks, optimizers, schedules
from tests.support.fitting import X, Y, new_model

pytestmark = pytest.mark.sampled

K = keras.optimizers.schedules


def messages(model, **kwargs):
    """Return the warnings of a `fit` of 2 epochs with 4 batches each."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        model.fit(X, Y, **{"batch_size": 4, "epochs": 2, "verbose": 0} | kwargs)
    said = [str(w.message) for w in record]
    return [m for m in said if m.startswith("The learning rate")]


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.OneCycle(0.1, steps=4),
        schedules.Warmup(schedules.Cosine(0.1, steps=2), steps=2),
        2 * schedules.Linear(0.1, steps=4),
        K.CosineDecay(0.1, 4),
        K.CosineDecay(0.01, 2, warmup_target=0.1, warmup_steps=2),
        K.PolynomialDecay(0.1, 4),
    ],
    ids=lambda x: type(x).__name__,
)
def test_ending_in_the_middle_and_over(schedule):
    (message,) = messages(new_model(optimizers.SGD(schedule)))
    assert "ends at update 4. This `fit` makes updates 0 to 8, the last 4" in message
    model = new_model(optimizers.SGD(schedule))
    assert messages(model, epochs=1) == []
    (message,) = messages(model, epochs=1)
    assert "ended at update 4. This `fit` begins at update 4" in message
    assert messages(model, epochs=1) == []  # once


@pytest.mark.parametrize(
    "rate",
    [
        0.1,
        schedules.Cosine(0.1, steps=8),
        schedules.Warmup(0.1, steps=2),
        schedules.CosineRestarts(0.1, steps=2),
        schedules.Exponential(0.1, steps=2),
        schedules.Piecewise([2], [0.1, 0.01]),
        K.PolynomialDecay(0.1, 2, cycle=True),
        K.ExponentialDecay(0.1, 2, 0.5),
    ],
    ids=lambda x: type(x).__name__,
)
def test_nothing_is_said_otherwise(rate):
    assert messages(new_model(optimizers.SGD(rate))) == []


def test_epochs_that_are_over_and_windows_are_counted():
    sgd = optimizers.SGD(schedules.Linear(0.1, steps=4), gradient_accumulation_steps=2)
    assert messages(new_model(sgd)) == []
    sgd = optimizers.SGD(schedules.Linear(0.1, steps=4))
    assert messages(new_model(sgd), initial_epoch=1) == []


def test_of_a_callback_that_drives_the_rate():
    falling = schedules.Linear(0.1, steps=4)
    driving = callbacks.HyperparameterScheduler("learning_rate", falling)
    model = new_model(optimizers.SGD(0.1))
    (message,) = messages(model, callbacks=[driving])
    assert "ends at update 4" in message
