"""HyperparameterScheduler: values follow the schedule, and are restored after it."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers, regularizers, schedules, transforms
from keras_optlab.callbacks import HyperparameterScheduler
from keras_optlab.verify.problems import values
from tests.support.problems import compiled_model, mlp, regression

ONES = np.ones((6, 1), "float32")
COMPILED = keras.backend.backend() != "torch"  # torch has no steps_per_execution
GROWING = schedules.Linear(0.0, steps=12, final=0.6)


def falling(optimizer, **kwargs):
    """Return a model of one weight, 1 at first, whose gradient is always 1."""
    model = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(1, use_bias=False, kernel_initializer="ones"),
        ]
    )
    return compiled_model(model, optimizer, prediction, **kwargs)


def prediction(y, p):
    """Return the mean prediction as the loss."""
    return ops.mean(p)


def fit(model, *callbacks, epochs=2, **kwargs):
    """Train for six steps an epoch; return the weight."""
    model.fit(
        ONES,
        ONES,
        batch_size=1,
        epochs=epochs,
        verbose=0,
        callbacks=list(callbacks),
        **kwargs,
    )
    return float(values(model.weights)[0].item())


def weight_after(rates, decays):
    """Return the weight of `falling` by hand."""
    w = 1.0
    for rate, decay in zip(rates, decays, strict=True):
        w = w - rate * decay * w - rate
    return w


@pytest.mark.parametrize("at_once", [1, 4] if COMPILED else [1])
@pytest.mark.parametrize("before", [None, 0.05])
@pytest.mark.slow
def test_by_step_equals_a_schedule_of_the_optimizer(at_once, before):
    sgd = optimizers.SGD(0.1, weight_decay=before)
    model = falling(sgd, steps_per_execution=at_once)
    driven = fit(model, HyperparameterScheduler("weight_decay", GROWING))
    own = falling(optimizers.SGD(0.1, weight_decay=GROWING))
    assert driven == fit(own)
    by_hand = weight_after([0.1] * 12, GROWING.values(12))
    assert driven == pytest.approx(by_hand, rel=1e-5)
    # None if it was None before, else its last value
    assert sgd.weight_decay == (None if before is None else pytest.approx(0.6))


def test_a_second_fit_goes_on_and_one_without_stays():
    model = falling(optimizers.SGD(0.1, weight_decay=0.05))
    scheduler = HyperparameterScheduler("weight_decay", GROWING)
    fit(model, scheduler, epochs=1)
    assert model.optimizer.weight_decay == pytest.approx(0.3)
    fit(model, scheduler, epochs=1)
    w = fit(model, epochs=1)
    decays = [*GROWING.values(12), *[0.6] * 6]
    assert w == pytest.approx(weight_after([0.1] * 18, decays), rel=1e-5)


@pytest.mark.parametrize("name", ["ours", "keras"])
@pytest.mark.parametrize("unit", ["step", "epoch"])
def test_learning_rate(name, unit):
    make = optimizers.SGD if name == "ours" else keras.optimizers.SGD
    model = falling(make(0.7))
    rate = schedules.Exponential(0.1, steps=2, decay_rate=0.5)
    w = fit(model, HyperparameterScheduler("learning_rate", rate, unit=unit))
    times = np.arange(12) if unit == "step" else np.repeat([0, 1], 6)
    assert w == pytest.approx(1 - rate(times).sum(), rel=1e-5)
    last = rate(12) if (name, unit) == ("ours", "step") else rate(times[-1])
    assert float(model.optimizer.learning_rate) == pytest.approx(last)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch: 0.1 * 0.5**epoch,
        lambda epoch, rate: 0.1 if epoch < 1 else rate / 2,
    ],
    ids=["of the epoch", "of the epoch and the value"],
)
def test_a_function_means_what_it_means_to_keras(schedule):
    ends = []
    for callback in (
        HyperparameterScheduler("learning_rate", schedule, unit="epoch"),
        keras.callbacks.LearningRateScheduler(
            lambda epoch, rate: (
                schedule(epoch, rate)
                if schedule.__code__.co_argcount > 1
                else schedule(epoch)
            )
        ),
    ):
        ends.append(fit(falling(optimizers.SGD(0.3)), callback, epochs=3))
    assert ends[0] == ends[1]


def test_a_function_of_the_step():
    model = falling(optimizers.SGD(0.1, weight_decay=0.5))
    fit(model, epochs=1)
    w = fit(
        model,
        HyperparameterScheduler("weight_decay", lambda step: 0.01 * (step > 8)),
        epochs=1,
    )
    decays = [0.5] * 6 + [0.0] * 3 + [0.01] * 3
    assert w == pytest.approx(weight_after([0.1] * 12, decays), rel=1e-5)


def test_initial_epoch_is_what_an_epoch_counts_from():
    model = falling(optimizers.SGD(0.1))
    seen = []
    scheduler = HyperparameterScheduler(
        "weight_decay", lambda epoch: seen.append(epoch) or 0.1 * epoch, unit="epoch"
    )
    w = fit(model, scheduler, epochs=5, initial_epoch=3)
    assert w == pytest.approx(weight_after([0.1] * 12, [0.3] * 6 + [0.4] * 6), rel=1e-5)
    assert model.optimizer.weight_decay is None


def test_a_decay_factor():
    beta = schedules.Linear(0.5, steps=8, final=0.9)
    x, y = regression()
    ends = []
    for adam, callbacks in (
        (optimizers.Adam(beta_1=beta), []),
        (optimizers.Adam(), [HyperparameterScheduler("beta_1", beta)]),
    ):
        model = mlp()
        model.compile(adam, "mse")
        model.fit(x, y, batch_size=32, epochs=2, verbose=0, callbacks=callbacks)
        ends.append(values(model.trainable_variables))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_an_argument_of_a_transform():
    limit = schedules.Linear(0.6, steps=12)
    clip = transforms.ClipByNorm(1.0)
    model = falling(optimizers.SGD(0.1, gradient_transforms=[clip]))
    own = model.optimizer.gradient_transforms[0]
    w = fit(model, HyperparameterScheduler("norm", limit, of=own))
    assert w == pytest.approx(1 - 0.1 * limit.values(12).sum(), rel=1e-5)
    with pytest.raises(ValueError, match="An optimizer copies its transforms"):
        fit(model, HyperparameterScheduler("norm", limit, of=clip))


@pytest.mark.parametrize("make", [optimizers.SGD, keras.optimizers.SGD])
def test_the_strength_of_a_regularizer(make):
    penalty = regularizers.L2(0.0)
    model = falling(make(0.1))
    regularizers.regularize(model, kernel=penalty)
    before = len(model.get_weights())
    fit(model, epochs=1)  # traces a step without the callback
    scheduler = HyperparameterScheduler(
        "l2", lambda epoch: 0.3 * (epoch + 1), unit="epoch", of=penalty
    )
    x = fit(model, epochs=0)
    w = fit(model, scheduler, validation_data=(ONES, ONES))
    for strength in [0.3] * 6 + [0.6] * 6:
        x = x - 0.1 * (1 + 2 * strength * x)
    assert w == pytest.approx(x, rel=1e-5)
    assert penalty.l2 == pytest.approx(0.6)
    assert len(model.get_weights()) == before
    loss = model.evaluate(ONES, ONES, verbose=0)
    assert loss == pytest.approx(w + 0.6 * w * w, rel=1e-5)


def test_a_regularizer_can_follow_the_step():
    penalty = regularizers.L1(0.5)
    model = falling(optimizers.SGD(0.01))
    regularizers.regularize(model, kernel=penalty)
    w = fit(model, HyperparameterScheduler("l1", GROWING, of=penalty))
    assert w == pytest.approx(1 - 0.01 * (12 + GROWING.values(12).sum()), rel=1e-5)


class Stop(Exception):
    """An exception that a test raises during training."""


@pytest.mark.parametrize("exception", [Stop, KeyboardInterrupt])
def test_an_interruption_gives_the_value_back(exception):
    model = falling(optimizers.SGD(0.1, weight_decay=0.05))

    def fail(batch, logs):
        if batch == 3:
            raise exception

    with pytest.raises(exception):
        fit(
            model,
            HyperparameterScheduler("weight_decay", GROWING),
            keras.callbacks.LambdaCallback(on_train_batch_begin=fail),
        )
    assert isinstance(model.optimizer.weight_decay, float)
    model.optimizer.weight_decay = 0.0
    before = values(model.weights)[0].item()
    assert fit(model, epochs=1) == pytest.approx(before - 0.6, rel=1e-5)


def test_a_file_saved_meanwhile_holds_the_optimizer_as_it_was_made(tmp_path):
    path = tmp_path / "model.keras"
    model = mlp()
    model.compile(optimizers.SGD(0.1), "mse")
    x, y = regression()
    scheduler = HyperparameterScheduler("weight_decay", GROWING)
    save = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: model.save(path))
    model.fit(x, y, batch_size=32, verbose=0, callbacks=[scheduler, save])
    loaded = keras.saving.load_model(path)
    assert loaded.optimizer.weight_decay is None
    assert int(loaded.optimizer.updates) == 4
    for again in (model, loaded):  # resumed as if uninterrupted
        again.fit(x, y, batch_size=32, verbose=0, callbacks=[scheduler], shuffle=False)
    for a, b in zip(values(model.weights), values(loaded.weights), strict=True):
        np.testing.assert_array_equal(a, b)


def test_inside_a_loss_scaling_optimizer():
    inner = optimizers.SGD(0.1)
    model = falling(keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0))
    w = fit(model, HyperparameterScheduler("weight_decay", GROWING))
    by_hand = weight_after([0.1] * 12, GROWING.values(12))
    assert w == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: HyperparameterScheduler(3, GROWING), TypeError, "Received: name=3"),
        (lambda: HyperparameterScheduler("l1", 0.1), TypeError, "schedule=0.1"),
        (lambda: HyperparameterScheduler("l1", lambda: 1), TypeError, "0 arguments"),
        (
            lambda: HyperparameterScheduler("l1", GROWING, unit="batch"),
            ValueError,
            "unit='batch'",
        ),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("optimizer", "scheduler", "error", "message"),
    [
        (optimizers.SGD, ("weight_deacy", GROWING), AttributeError, "Did you mean"),
        (optimizers.SGD, ("nesterov", GROWING), AttributeError, "fixed at construct"),
        (optimizers.SGD, ("ema_momentum", GROWING), AttributeError, "fixed at constr"),
        (optimizers.SGD, ("momentum", GROWING), AttributeError, "there is no slot"),
        (
            lambda: optimizers.SGD(weight_decay=GROWING),
            ("weight_decay", GROWING),
            AttributeError,
            "driven by Linear",
        ),
        (
            lambda: optimizers.SGD(GROWING),
            ("learning_rate", GROWING),
            AttributeError,
            "driven by Linear",
        ),
        (
            lambda: keras.optimizers.SGD(GROWING),
            ("learning_rate", GROWING),
            AttributeError,
            "follows a schedule",
        ),
        (
            keras.optimizers.SGD,
            ("weight_decay", GROWING),
            TypeError,
            "needs an optimizer of keras_optlab",
        ),
        (
            optimizers.SGD,
            ("weight_decay", lambda step: -1.0),
            ValueError,
            "weight_decay=-1.0",
        ),
        (
            optimizers.SGD,
            ("weight_decay", lambda step: "much"),
            TypeError,
            "must return a number. Received: 'much'",
        ),
    ],
)
def test_what_cannot_be_driven_is_refused(optimizer, scheduler, error, message):
    model = falling(optimizer())
    with pytest.raises(error, match=message):
        fit(model, HyperparameterScheduler(*scheduler))


def test_two_callbacks_cannot_drive_one_value():
    model = falling(optimizers.SGD(0.1))
    scheduler = HyperparameterScheduler("weight_decay", GROWING)
    with pytest.raises(ValueError, match="Two callbacks drive 'weight_decay'"):
        fit(model, scheduler, HyperparameterScheduler("weight_decay", GROWING))
    assert model.optimizer.weight_decay is None  # restored by the first
    assert fit(model, epochs=1) == pytest.approx(1 - 6 * 0.1)
