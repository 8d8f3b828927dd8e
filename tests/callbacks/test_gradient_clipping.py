"""GradientClipping: on during `fit`, scheduled, reported, and off afterwards."""

import functools

import keras
import numpy as np
import pytest

from keras_optlab import optimizers, schedules
from keras_optlab.callbacks import GradientClipping, HyperparameterScheduler
from keras_optlab.verify.problems import values
from tests.support.problems import compiled_model, mlp, regression

pytestmark = pytest.mark.sampled

COMPILED = keras.backend.backend() != "torch"  # torch has no steps_per_execution
LIMITS = {
    "value": "clipvalue",
    "norm": "clipnorm",
    "global_norm": "global_clipnorm",
    "adaptive": "adaptive_clipnorm",
}


def trained(optimizer, *callbacks, epochs=2, model=None, **kwargs):
    """Return a model after eight steps, and the history."""
    if model is None:
        model = compiled_model(mlp(), optimizer, **kwargs)
    x, y = regression()
    history = model.fit(
        x,
        y,
        batch_size=32,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )
    return model, history.history


def assert_same(a, b):
    for x, y in zip(values(a.weights), values(b.weights), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7)


@functools.cache
def unclipped():
    return values(trained(optimizers.SGD(0.1))[0].weights)[0]


@pytest.mark.every
@pytest.mark.parametrize(("argument", "name"), LIMITS.items())
def test_equals_an_optimizer_made_with_it(argument, name):
    callback = GradientClipping(**{argument: 0.02})
    ours, history = trained(optimizers.SGD(0.1), callback)
    own, _ = trained(optimizers.SGD(0.1, **{name: 0.02}))
    assert_same(ours, own)
    assert not np.array_equal(values(ours.weights)[0], unclipped())
    assert history["clipped_fraction"][0] > 0
    assert ours.optimizer.current(name) is None  # off again
    trained(None, model=ours)
    assert int(ours.optimizer.updates) == 16


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 3] if COMPILED else [1])
def test_a_schedule_moves_it_by_the_step(at_once):
    falling = schedules.Linear(4.0, steps=8)
    callback = GradientClipping(global_norm=0.5, schedule=falling)
    sgd = optimizers.SGD(0.1)
    ours, _ = trained(sgd, callback, steps_per_execution=at_once)
    own, _ = trained(optimizers.SGD(0.1, global_clipnorm=falling * 0.5))
    assert_same(ours, own)


@pytest.mark.slow
def test_it_replaces_the_limit_of_the_optimizer_for_the_time_of_a_fit():
    sgd = optimizers.SGD(0.1, clipnorm=5.0)
    ours, _ = trained(sgd, GradientClipping(norm=0.01))
    own, _ = trained(optimizers.SGD(0.1, clipnorm=0.01))
    assert_same(ours, own)
    assert sgd.clipnorm == 5.0


def test_the_limit_can_be_set_from_outside():
    callback = GradientClipping(global_norm=0.5)
    assert callback.limit == 0.5
    sgd = optimizers.SGD(0.1)

    def tighten(epoch, logs):
        if epoch == 1:
            callback.limit = 0.1

    seen = []
    setting = keras.callbacks.LambdaCallback(
        on_epoch_begin=tighten,
        on_epoch_end=lambda *_: seen.append(sgd.current("global_clipnorm")),
    )
    ours, _ = trained(sgd, callback, setting)
    assert seen == [0.5, 0.1]
    own = trained(optimizers.SGD(0.1, global_clipnorm=0.5), epochs=1)[0]
    own.optimizer.global_clipnorm = 0.1
    own, _ = trained(None, model=own, epochs=1)
    assert_same(ours, own)
    assert callback.limit == 0.1


@pytest.mark.parametrize(("limit", "fraction"), [(1e-3, 1.0), (1e6, 0.0)])
def test_reports_the_fraction_that_was_clipped(limit, fraction):
    _, history = trained(optimizers.SGD(0.1), GradientClipping(norm=limit, every=1))
    assert history["clipped_fraction"] == [fraction, fraction]


def test_the_fraction_is_a_mean_over_weights_and_steps():
    ones = keras.Variable(np.ones(1, "float32"))
    sgd = optimizers.SGD(0.1, clipvalue=1.0)
    sgd.collect_statistics(every=1)
    sgd.build([ones, keras.Variable(np.ones(1, "float32"))])
    large, small = (keras.ops.convert_to_tensor([x]) for x in (3.0, 0.5))
    sgd.apply([large, small])
    assert sgd.statistics().clipped_fraction == 0.5


def test_an_interruption_takes_it_off():
    def fail(batch, logs):
        if batch == 2:
            raise KeyboardInterrupt

    stop = keras.callbacks.LambdaCallback(on_train_batch_begin=fail)
    model = mlp()
    model.compile(optimizers.SGD(0.1), "mse")
    with pytest.raises(KeyboardInterrupt):
        trained(None, GradientClipping(norm=0.01), stop, model=model)
    assert model.optimizer.clipnorm is None


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({}, TypeError, "Exactly one of .* Received: none"),
        ({"norm": 1.0, "value": 2.0}, TypeError, "Received: value=2.0, norm=1.0"),
        ({"norm": -1.0}, ValueError, "Received: norm=-1.0"),
        ({"norm": "1"}, TypeError, "Received: norm='1'"),
        ({"norm": 1.0, "schedule": 2.0}, TypeError, "Received: schedule=2.0"),
        ({"norm": 1.0, "every": 0}, ValueError, "Received: every=0"),
    ],
)
def test_bad_arguments(kwargs, error, message):
    with pytest.raises(error, match=message):
        GradientClipping(**kwargs)


def test_what_it_cannot_clip_is_refused():
    with pytest.raises(TypeError, match="GradientClipping needs an optimizer of keras"):
        trained(keras.optimizers.SGD(), GradientClipping(norm=1.0))
    with pytest.raises(ValueError, match="an optimizer with clipvalue=0.5"):
        trained(optimizers.SGD(clipvalue=0.5), GradientClipping(norm=1.0))
    limit = schedules.Linear(1.0, steps=5)
    with pytest.raises(AttributeError, match="driven by Linear"):
        trained(optimizers.SGD(clipnorm=limit), GradientClipping(norm=1.0))
    with pytest.raises(ValueError, match="Two callbacks drive 'clipnorm'"):
        trained(
            optimizers.SGD(clipnorm=1.0),
            GradientClipping(norm=1.0),
            HyperparameterScheduler("clipnorm", lambda step: 1.0),
        )
