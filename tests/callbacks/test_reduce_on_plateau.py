"""ReduceOnPlateau: reduces as Keras does, and scales any schedule."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers, schedules
from keras_optlab.callbacks.reduce_on_plateau import ReduceOnPlateau
from tests.support.fitting import (
    Clock,
    EveryStep,
    Script,
    ScriptedMetric,
    fit,
    new_model,
)
from tests.support.problems import compiled_model

COMPILED = keras.backend.backend() != "torch"  # torch has no steps_per_execution
EIGHTHS = np.arange(0, 24) / 8  # sums and differences of these are exact


def rate(optimizer):
    return float(ops.convert_to_numpy(optimizer.learning_rate))


def rates(callback, model, values):
    """Return the learning rate after each epoch, given the metric of each epoch."""
    callback.set_model(model)
    callback.on_train_begin()
    seen = []
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"score": value})
        seen.append(rate(model.optimizer))
    return seen


@pytest.mark.parametrize("seed", range(12))
def test_it_reduces_as_keras_does(seed):
    rng = np.random.default_rng(seed)
    same = {
        "monitor": "score",
        "factor": float(rng.choice([0.1, 0.5, 0.9])),
        "patience": int(rng.integers(0, 5)),
        "cooldown": int(rng.integers(0, 6)),
        "min_delta": float(rng.choice([0, 1 / 8, 1 / 2])),
        "mode": str(rng.choice(["min", "max"])),
    }
    values = [float(v) for v in rng.choice(EIGHTHS, size=40)]
    smallest = float(rng.choice([0.0, 0.2]))
    theirs = keras.callbacks.ReduceLROnPlateau(**same, min_lr=0.05 * smallest)
    ours = ReduceOnPlateau(**same, min_scale=smallest)
    expected = rates(theirs, new_model(), values)
    assert len(set(expected)) > 1
    np.testing.assert_allclose(rates(ours, new_model(), values), expected, rtol=1e-6)


def falling(optimizer, **compiling):
    """Return a model of one weight, at first 0, whose gradient is always 1."""
    x = keras.Input((1,))
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Model(x, dense(x))
    return compiled_model(model, optimizer, lambda y, p: ops.mean(p), **compiling)


def weight(model):
    return float(model.get_weights()[0].item())


def steps_made(model, *callbacks, epochs, **kwargs):
    """Return how far the weight fell at each step, which is the rate, in float64."""
    weights = EveryStep(weight)
    ones = {"x": np.ones((4, 1)), "y": np.ones((4, 1)), "batch_size": 1}
    fit(model, [weights, *callbacks], epochs=epochs, **ones, **kwargs)
    return -np.diff([w for _, w in sorted(weights.kept.items())])


SCHEDULE = schedules.OneCycle(0.1, steps=24)
PLATEAU = [3.0, 2.0, 2.0, 2.0, 2.0, 1.0]  # patience=1 reduces after epochs 3, 4, 5
BY_EPOCH = np.repeat([1.0, 1.0, 1.0, 0.5, 0.25, 0.125], 4)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.slow
def test_the_rate_is_the_schedule_times_the_scale(wrapped):
    optimizer = optimizers.SGD(SCHEDULE)
    if wrapped:
        scaling = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=4.0)
    model = falling(scaling if wrapped else optimizer)
    plateau = ReduceOnPlateau(factor=0.5, patience=1)
    fallen = steps_made(model, Script(PLATEAU), plateau, epochs=6)
    np.testing.assert_allclose(fallen, SCHEDULE.values(24) * BY_EPOCH, atol=1e-6)
    assert optimizer.learning_rate_scale == 0.125


def test_the_rate_is_scaled_in_the_middle_of_an_epoch():
    # After steps 1, 2, 4, 6, 8 the metric is 4, 3, 3, 3, 1: reduced 4 steps after 2.
    metric = ScriptedMetric([4, 3, 9, 3, 9, 3, 9, 1] + [1] * 4)
    model = falling(optimizers.SGD(SCHEDULE), metrics=[metric])
    plateau = ReduceOnPlateau(
        "error", factor=0.5, patience=4, patience_unit="steps", every=2
    )
    fallen = steps_made(model, plateau, epochs=3)
    scale = np.repeat([1.0, 0.5, 0.25], [6, 6, 0])
    np.testing.assert_allclose(fallen, SCHEDULE.values(12) * scale, atol=1e-6)


@pytest.mark.skipif(not COMPILED, reason="its trainer has no steps_per_execution")
def test_with_several_steps_an_execution_it_follows_the_execution():
    metric = ScriptedMetric([4, 3, 9, 3, 9, 3, 9, 1] + [1] * 4)
    model = falling(optimizers.SGD(0.1), metrics=[metric], steps_per_execution=2)
    plateau = ReduceOnPlateau(
        "error", factor=0.5, patience=4, patience_unit="steps", every=2
    )
    fallen = steps_made(model, plateau, epochs=3)  # each of two steps
    np.testing.assert_allclose(fallen, [0.2] * 3 + [0.1] * 3, atol=1e-6)


def test_a_patience_in_epochs_by_step_is_judged_at_the_end_of_an_epoch():
    metric = ScriptedMetric([4, 4, 4, 3] + [3] * 8)
    model = falling(optimizers.SGD(0.1), metrics=[metric])
    plateau = ReduceOnPlateau("error", factor=0.5, patience=1, every=1)
    fallen = steps_made(model, plateau, epochs=3)
    np.testing.assert_allclose(fallen, [0.1] * 8 + [0.05] * 4, atol=1e-6)


def test_a_patience_and_a_cooldown_in_seconds():
    clock = Clock(seconds=5)  # 20 seconds an epoch
    plateau = ReduceOnPlateau(
        factor=0.5, patience=35.0, cooldown=45.0, patience_unit="seconds"
    )
    plateau.clock = clock
    model = falling(optimizers.SGD(0.1))
    # Seconds: best at 20, reduced at 60, cooldown until 105. The next wait counts from
    # 100, the last epoch in the cooldown, and ends at 140.
    fallen = steps_made(model, clock, Script([1.0] * 8), plateau, epochs=8)
    scale = np.repeat([1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25], 4)
    np.testing.assert_allclose(fallen, 0.1 * scale, atol=1e-6)


def test_a_stock_optimizer_is_reduced_itself():
    model = falling(keras.optimizers.SGD(0.1))
    plateau = ReduceOnPlateau(factor=0.5, patience=1, min_scale=0.3)
    fallen = steps_made(model, Script(PLATEAU), plateau, epochs=6)
    np.testing.assert_allclose(fallen, 0.1 * np.maximum(BY_EPOCH, 0.3), atol=1e-6)
    assert plateau.driven_values() == {"learning_rate": pytest.approx(0.03)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.SGD(SCHEDULE),
        lambda: keras.optimizers.SGD(lambda: 0.1),
    ],
)
def test_a_stock_optimizer_with_a_schedule_is_refused(make):
    model = falling(make())
    with pytest.raises(TypeError, match=r"schedule.*Received: .*keras_optlab.optim"):
        steps_made(model, ReduceOnPlateau("loss"), epochs=1)
    assert weight(model) == 0.0


def test_the_scale_stays_and_the_wait_starts_afresh():
    model = falling(optimizers.SGD(0.1))
    plateau = ReduceOnPlateau(factor=0.5, patience=2)
    steps_made(model, Script([1.0, 1.0, 1.0, 1.0]), plateau, epochs=4)
    assert plateau.driven_values() == {"learning_rate_scale": 0.5}
    fallen = steps_made(model, Script([5.0, 5.0, 5.0, 5.0]), plateau, epochs=4)
    np.testing.assert_allclose(fallen, 0.1 * np.repeat([0.5, 0.25], [12, 4]), atol=1e-6)


def test_the_scale_is_saved_with_the_optimizer(tmp_path):
    x, y = np.ones((4, 3)), np.ones((4, 1))
    model = new_model(optimizers.Adam())
    plateau = ReduceOnPlateau(factor=0.5, patience=1)
    fit(model, [Script([1.0] * 3), plateau], epochs=3, x=x, y=y)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.optimizer.learning_rate_scale == 0.25
    weights = new_model(optimizers.Adam())
    fit(weights, [], epochs=1, x=x, y=y)
    model.save_weights(tmp_path / "model.weights.h5")
    weights.load_weights(tmp_path / "model.weights.h5")
    assert weights.optimizer.learning_rate_scale == 0.25


def test_a_scale_below_the_smallest_is_left_alone():
    model = falling(optimizers.SGD(0.1, learning_rate_scale=0.01))
    plateau = ReduceOnPlateau(patience=1, min_scale=0.1)
    steps_made(model, Script([1.0] * 3), plateau, epochs=3)
    assert model.optimizer.learning_rate_scale == 0.01


def test_two_cannot_scale_one_rate():
    two = [ReduceOnPlateau("loss"), ReduceOnPlateau("loss")]
    with pytest.raises(ValueError, match="Two callbacks drive 'learning_rate_scale'"):
        steps_made(falling(optimizers.SGD(0.1)), *two, epochs=1)


def test_a_nan_is_warned_about_once_and_is_no_improvement():
    model = falling(optimizers.SGD(0.1))
    plateau = ReduceOnPlateau(factor=0.5, patience=2)
    script = Script([math.nan, 1.0, math.nan, math.nan, 0.5])
    with pytest.warns(UserWarning, match="val_loss is NaN after epoch 1") as warned:
        fallen = steps_made(model, script, plateau, epochs=5)
    assert len([w for w in warned if "ReduceOnPlateau" in str(w.message)]) == 1
    np.testing.assert_allclose(fallen, [0.1] * 16 + [0.05] * 4, atol=1e-6)


def test_a_missing_metric_is_warned_about_once():
    with pytest.warns(UserWarning, match="ReduceOnPlateau waits.*Known: 'loss'") as w:
        steps_made(falling(optimizers.SGD(0.1)), ReduceOnPlateau("val_f1"), epochs=2)
    assert len([x for x in w if "ReduceOnPlateau" in str(x.message)]) == 1


def test_it_says_what_it_did(capsys):
    model = falling(optimizers.SGD(0.1))
    plateau = ReduceOnPlateau(patience=2, min_scale=0.05, verbose=1)
    steps_made(model, Script([1.0] * 7), plateau, epochs=7)
    assert capsys.readouterr().out == (
        "ReduceOnPlateau: after epoch 3, val_loss has not improved for 2 epochs: "
        "learning_rate_scale 1 -> 0.1.\n"
        "ReduceOnPlateau: after epoch 5, val_loss has not improved for 2 epochs: "
        "learning_rate_scale 0.1 -> 0.05.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "received"),
    [
        ({"factor": 1.0}, ValueError, "factor=1.0"),
        ({"factor": 0.0}, ValueError, "factor=0.0"),
        ({"patience": -1}, ValueError, "patience=-1"),
        ({"cooldown": -1}, ValueError, "cooldown=-1"),
        ({"cooldown": 0.5}, TypeError, "cooldown=0.5"),
        ({"min_scale": -0.1}, ValueError, "min_scale=-0.1"),
        ({"min_delta": math.inf}, ValueError, "min_delta=inf"),
        ({"mode": "max"}, ValueError, "monitor='val_loss', mode='max'"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, received):
    with pytest.raises(error, match=f"must .*Received: {received}"):
        ReduceOnPlateau(**arguments)


@pytest.mark.parametrize(
    "theirs",
    [
        keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1e9),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate),
    ],
    ids=lambda x: type(x).__name__,
)
def test_keras_own_callback_is_told_of_this_one_before_training(theirs):
    model = falling(optimizers.SGD(schedules.Cosine(0.1, 12)))
    with pytest.raises(TypeError, match=r"(?s)Received: the callback.*ReduceOnPlateau"):
        steps_made(model, theirs, epochs=3)
    assert int(model.optimizer.iterations) == 0
    with pytest.raises(TypeError, match=r"(?s)Received: learning_rate=.*ReduceOnPlate"):
        model.optimizer.learning_rate = 0.1
