"""WeightClipping: weights within the limits, between `start` and `stop`."""

import keras
import numpy as np
import pytest

from keras_optlab import constraints, optimizers, schedules
from keras_optlab.callbacks import WeightClipping
from keras_optlab.verify.problems import values
from tests.support.problems import compiled_model, mlp, regression

pytestmark = pytest.mark.sampled

COMPILED = keras.backend.backend() != "torch"  # torch has no steps_per_execution
BOTH = pytest.mark.parametrize("make", [optimizers.SGD, keras.optimizers.SGD])


def trained(model, *callbacks, epochs=2):
    """Train for four steps an epoch."""
    x, y = regression()
    model.fit(
        x,
        y,
        batch_size=32,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )
    return model


def compiled(optimizer, **kwargs):
    return compiled_model(mlp(), optimizer, **kwargs)


def kernel(model):
    return values([model.get_layer("hidden").kernel])[0]


@BOTH
@pytest.mark.parametrize(
    ("limits", "constraint"),
    [
        ({"low": -0.1, "high": 0.2}, constraints.ClipValue(-0.1, 0.2)),
        ({"max_norm": 0.5}, constraints.MaxNorm(0.5, axis=[0])),
        ({"spectral_norm": 0.5}, constraints.SpectralNorm(0.5)),
    ],
    ids=["entries", "norm", "spectrum"],
)
def test_equals_the_constraint_of_a_layer(make, limits, constraint):
    ours = trained(compiled(make(0.1)), WeightClipping(**limits, match="hidden/kernel"))
    theirs = compiled(make(0.1))
    theirs.get_layer("hidden").kernel.constraint = constraint
    trained(theirs)
    for a, b in zip(values(ours.weights), values(theirs.weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_one_limit_of_two():
    model = trained(compiled(optimizers.SGD(0.1)), WeightClipping(low=-0.05))
    for w in values(model.trainable_variables):
        assert w.min() >= -0.05 - 1e-7
    assert kernel(model).max() > 0.05


@BOTH
@pytest.mark.parametrize("at_once", [1, 4] if COMPILED else [1])
@pytest.mark.slow
def test_starts_and_stops_at_a_step(make, at_once):
    largest = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: largest.append(np.abs(kernel(model)).max())
    )
    model = compiled(make(1e-3), steps_per_execution=at_once)
    trained(model, WeightClipping(low=-0.1, high=0.1, start=4, stop=7), look, epochs=2)
    assert largest[0] > 0.2  # untouched for four steps
    assert 0.1 < largest[1] < 0.12  # clipped for three steps, then one free step


@BOTH
def test_a_schedule_moves_the_limits(make):
    model = compiled(make(1.0))
    rows = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: rows.append(np.abs(kernel(model)).max())
    )
    halves = schedules.Piecewise([4], [1.0, 0.5])
    trained(model, WeightClipping(low=-0.1, high=0.1, schedule=halves), look)
    np.testing.assert_allclose(rows, [0.1, 0.05], rtol=1e-6)


@pytest.mark.slow
def test_the_constraint_of_the_layer_stays_and_acts_first():
    model = compiled(optimizers.SGD(0.1))
    own = constraints.NonNegative()
    model.get_layer("hidden").kernel.constraint = own
    trained(model, WeightClipping(high=0.1))
    assert kernel(model).min() >= 0
    assert kernel(model).max() <= 0.1 + 1e-7
    assert model.get_layer("hidden").kernel.constraint is own
    trained(model, epochs=1)
    assert kernel(model).max() > 0.1  # the limits are off again


def test_an_interruption_takes_it_off():
    def fail(batch, logs):
        raise KeyboardInterrupt

    model = compiled(optimizers.SGD(0.1))
    stop = keras.callbacks.LambdaCallback(on_train_batch_begin=fail)
    with pytest.raises(KeyboardInterrupt):
        trained(model, WeightClipping(max_norm=1.0), stop)
    assert all(v.constraint is None for v in model.trainable_variables)


def test_all_weights_but_some():
    model = trained(
        compiled(optimizers.SGD(1.0)), WeightClipping(high=0.0, low=0.0, skip="norm")
    )
    for v in model.trainable_variables:
        assert np.any(values([v])[0]) == ("norm" in v.path), v.path


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({}, TypeError, "limits of one kind.* Received: none"),
        ({"low": 0.0, "max_norm": 1.0}, TypeError, "Received: low=0.0, max_norm=1.0"),
        ({"low": 1.0, "high": 0.0}, ValueError, "Received: low=1.0, high=0.0"),
        ({"low": float("nan")}, ValueError, "Received: low=nan"),
        ({"max_norm": 0.0}, ValueError, "Received: max_norm=0.0"),
        ({"low": 0.0, "schedule": 1.0}, TypeError, "Received: schedule=1.0"),
        ({"low": 0.0, "start": -1}, ValueError, "Received: start=-1"),
        ({"low": 0.0, "start": 4, "stop": 4}, ValueError, "Received: stop=4"),
    ],
)
def test_bad_arguments(kwargs, error, message):
    with pytest.raises(error, match=message):
        WeightClipping(**kwargs)


def test_a_model_without_weights_yet():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    trained(model, WeightClipping(low=0.25))
    assert all(np.min(w) >= 0.25 for w in model.get_weights())


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="others build the model before"
)
def test_a_model_without_weights_yet_and_batches_that_come_once():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    batches = ((np.ones((2, 3)), np.ones((2, 1))) for _ in range(2))
    with pytest.raises(ValueError, match=r"Received: .*Build it first"):
        model.fit(batches, verbose=0, callbacks=[WeightClipping(low=0.0)])


def test_weights_that_are_not_there_and_weights_that_are_clipped_twice():
    model = compiled(optimizers.SGD(0.1))
    with pytest.raises(ValueError, match=r"(?s)match='conv\*'.*hidden/kernel"):
        trained(model, WeightClipping(low=0.0, match="conv*"))
    with pytest.raises(ValueError, match="Two callbacks drive 'WeightClipping.low'"):
        trained(model, WeightClipping(low=0.0), WeightClipping(low=-1.0))
