"""A learning rate found at the start of `fit`."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_optlab as kol

RateFinder = kol.callbacks.RateFinder
X = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
Y = (X @ np.array([1.0, -2.0, 3.0, 0.5], "float32"))[:, None]
FIT = {"batch_size": 32, "epochs": 2, "verbose": 0}
SHORT = {"steps": 80, "runs": 2, "verbose": False}


def model(optimizer):
    keras.utils.set_random_seed(5)
    stack = [keras.Input((4,)), layers.Dense(8), layers.Dropout(0.1), layers.Dense(1)]
    made = keras.Sequential(stack)
    made.compile(optimizer, "mse")
    return made


@pytest.mark.every
@pytest.mark.sampled
@pytest.mark.parametrize("package", [kol, keras])
def test_fit_is_that_of_a_fit_with_the_found_rate(package):
    finder = RateFinder(**SHORT)
    made = model(package.optimizers.Adam(1e-7))
    made.fit(X, Y, callbacks=[finder], validation_split=0.25, **FIT)
    rate = finder.result.suggestion()
    plain = model(package.optimizers.Adam(rate))
    plain.fit(X, Y, validation_split=0.25, **FIT)
    for x, y in zip(made.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.every
def test_a_schedule_gets_the_found_peak():
    finder = RateFinder("steepest", **SHORT)
    made = model(kol.optimizers.Adam(kol.schedules.OneCycle(0.5, steps=20)))
    made.fit(X, Y, callbacks=[finder], **FIT)
    rate = finder.result.suggestion("steepest")
    plain = model(
        kol.optimizers.Adam(kol.schedules.OneCycle(0.5, steps=20) * (rate / 0.5))
    )
    plain.fit(X, Y, **FIT)
    for x, y in zip(made.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


def test_nothing_found_ends_fit_before_its_first_step():
    made = model(kol.optimizers.Adam())
    before = made.get_weights()
    with pytest.raises(ValueError, match="never fell by more than its noise"):
        made.fit(
            X, Y, sample_weight=np.zeros(256), callbacks=[RateFinder(**SHORT)], **FIT
        )
    for x, y in zip(before, made.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.every
def test_a_fit_that_continues_keeps_its_rate():
    made, finder = model(kol.optimizers.Adam(0.125)), RateFinder(**SHORT)
    made.fit(X, Y, callbacks=[finder], initial_epoch=1, **FIT)
    assert finder.result is None
    assert made.optimizer.learning_rate == 0.125


def test_another_driver_of_the_rate_is_refused():
    schedule = kol.schedules.Cosine(0.1, steps=10)
    driver = kol.callbacks.HyperparameterScheduler("learning_rate", schedule)
    with pytest.raises(ValueError, match="Two callbacks drive 'learning_rate'"):
        model(kol.optimizers.Adam()).fit(
            X, Y, callbacks=[driver, RateFinder(**SHORT)], **FIT
        )
