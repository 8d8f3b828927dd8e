"""SpikeGuard: steps with spikes are undone, and training goes on as without them."""

import json
import math
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers, schedules
from keras_optlab.callbacks import Monitor, ReduceOnPlateau, SpikeGuard
from tests.support.problems import compiled_model

BACKEND = keras.backend.backend()
COMPILED = BACKEND != "torch"
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(400, 3)).astype("float32")
Y = (X.sum(axis=1, keepdims=True) + 0.1 * RANDOM.normal(size=(400, 1))).astype(
    "float32"
)
OURS = {
    "SGD": lambda: optimizers.SGD(0.005, momentum=0.9),
    "Adam": lambda: optimizers.Adam(0.01),
}
STOCK = {
    "SGD": lambda: keras.optimizers.SGD(0.005, momentum=0.9),
    "Adam": lambda: keras.optimizers.Adam(0.01),
}


def network(optimizer, *layers, **compiling):
    keras.utils.set_random_seed(1)
    given = [keras.Input((3,)), keras.layers.Dense(4), *layers, keras.layers.Dense(1)]
    return compiled_model(keras.Sequential(given), optimizer, "mse", **compiling)


def poisoned(**bad):
    """Return X and Y with bad batches of 4, by their number: NaN, or a factor."""
    x, y = X.copy(), Y.copy()
    for name, at in bad.items():
        for batch in at:
            rows = slice(4 * batch, 4 * batch + 4)
            if name == "nan":
                x[rows.start + 1, 2] = np.nan
            elif name == "inputs":
                x[rows] *= 1e6
            else:
                y[rows] = 1e4
    return x, y


def train(model, x, y, *callbacks, epochs=1, **arguments):
    how = {"batch_size": 4, "shuffle": False, "verbose": 0} | arguments
    return model.fit(x, y, epochs=epochs, callbacks=list(callbacks), **how)


def numbers(variables):
    return [np.array(ops.convert_to_numpy(v)) for v in variables]


def all_equal(found, expected):
    pairs = zip(found, expected, strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def state(model):
    ours = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return numbers([*model.trainable_variables, *ours.variables[1:]])


def quiet(**arguments):
    return SpikeGuard(**{"every": 10, "verbose": 0} | arguments)


# Detection and reaction, with this package's optimizers.


@pytest.mark.parametrize("name", ["SGD", pytest.param("Adam", marks=pytest.mark.every)])
@pytest.mark.slow
def test_bad_steps_are_not_applied(name):
    """The run equals one from which the bad batches were left out."""
    bad = {"nan": [31], "inputs": [42], "labels": [77]}
    left_out = np.delete(np.arange(400).reshape(-1, 4), [31, 42, 77], axis=0).ravel()
    clean, model = network(OURS[name]()), network(OURS[name]())
    expected = train(clean, X[left_out], Y[left_out])
    guard = quiet()
    with pytest.warns(UserWarning, match="or above the limit that SpikeGuard set"):
        history = train(model, *poisoned(**bad), guard)
    assert all_equal(
        numbers(model.trainable_variables), numbers(clean.trainable_variables)
    )
    assert int(ops.convert_to_numpy(model.optimizer.updates)) == 97
    assert guard.counts["accidents"] == guard.counts["skipped"] == 3
    assert guard.counts["undone"] == 0
    np.testing.assert_allclose(
        history.history["loss"], expected.history["loss"], rtol=1e-5
    )


@pytest.mark.every
def test_lines_name_steps_actions_and_causes():
    guard = quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(network(OURS["SGD"]()), *poisoned(nan=[31], inputs=[75]), guard)
    first, second = guard.log
    assert first == (
        "step 32: the gradient is not finite: not applied. inputs: feature 2 of the "
        "batch has NaN, in 1 of 4 rows, first in row 1."
    )
    assert second.startswith("step 76: a spike of the gradient norm, ")
    assert second.endswith("): not applied.")


@pytest.mark.every
@pytest.mark.parametrize("layer", [None, keras.layers.BatchNormalization])
@pytest.mark.parametrize("name", STOCK)
def test_steps_of_stock_optimizers_are_undone(name, layer):
    """The run equals one without the batches from the copy to the look."""
    layers = [] if layer is None else [layer()]
    left_out = np.delete(np.arange(400), np.arange(4 * 50, 4 * 60))
    clean = network(STOCK[name](), *layers)
    expected = train(clean, X[left_out], Y[left_out])
    model = network(STOCK[name](), *([] if layer is None else [layer()]))
    guard = quiet()
    history = train(model, *poisoned(nan=[53]), guard)
    assert all_equal(state(model), state(clean))
    assert all_equal(numbers(model.weights), numbers(clean.weights))
    assert guard.counts == {
        "accidents": 1,
        "skipped": 0,
        "undone": 10,
        "lowered": 0,
        "rollbacks": 0,
    }
    np.testing.assert_allclose(
        history.history["loss"], expected.history["loss"], rtol=1e-5
    )
    assert guard.log[0].startswith("step 54: the loss is nan: undone, back to step 50.")


class ZeroForNaN(keras.layers.Layer):
    """Takes NaN for 0, as some kernels of ReLU do."""

    def call(self, x):
        return ops.where(ops.isnan(x), ops.zeros_like(x), x)


@pytest.mark.slow
def test_weights_that_are_not_finite_are_undone_though_the_loss_is_ordinary():
    model = network(STOCK["SGD"](), ZeroForNaN())
    guard = quiet()
    history = train(model, *poisoned(nan=[53]), guard)
    assert all(np.isfinite(w).all() for w in numbers(model.trainable_variables))
    assert history.history["loss"][-1] < 1
    assert guard.counts["undone"] == 10
    assert guard.log == [
        "step 51: this step or one of the next 9 has made a weight NaN or infinite: "
        "undone, back to step 50. inputs: feature 2 of the batch has NaN, in 1 of 4 "
        "rows, first in row 1."
    ]


@pytest.mark.every
def test_a_spike_of_the_loss_alone_is_undone():
    """A large loss with a gradient of 0 can only be seen by the loss."""

    def loss(y, p):
        return ops.mean(ops.square(ops.minimum(y, 10.0) - p)) + ops.stop_gradient(
            ops.mean(ops.maximum(y - 10.0, 0.0))
        )

    keras.utils.set_random_seed(1)
    given = [keras.Input((3,)), keras.layers.Dense(1, use_bias=False)]
    model = compiled_model(keras.Sequential(given), OURS["Adam"](), loss)
    guard = quiet()
    x, y = poisoned(labels=[64])
    x[4 * 64 : 4 * 64 + 4] = 0  # no gradient
    train(model, x, y, guard)
    assert guard.counts["undone"] == 10
    assert "a spike of the loss" in guard.log[0]
    assert "undone, back to step 60" in guard.log[0]


@pytest.mark.slow
def test_without_accidents_training_is_the_same():
    def results(*callbacks):
        keras.utils.set_random_seed(2)  # of the layers
        layers = [keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)]
        model = network(OURS["Adam"](), *layers)
        how = {"shuffle": True, "epochs": 2, "validation_data": (X[:40], Y[:40])}
        history = train(model, X, Y, *callbacks, **how)
        return history.history, numbers(model.variables)

    guard = quiet()
    (history, found), (expected, weights) = results(guard), results()
    assert not guard.log
    assert history == expected
    count = min(len(found), len(weights))
    assert all_equal(found[:count], weights[:count])


# Stages.


def test_stages_follow_each_other_until_it_gives_up():
    model = network(STOCK["SGD"]())
    guard = quiet(every=5, max_rollbacks=1)
    with pytest.warns(UserWarning, match="SpikeGuard gave up at step 7"):
        train(model, *poisoned(labels=[56, 61, 67, 72]), guard, epochs=3)
    texts = [
        "undone, back to step 55",
        "undone, back to step 55; learning_rate is now 0.0025",
        "rolled back to step",
        "gave up, back to step",
    ]
    assert len(guard.log) == 4
    assert all(t in line for t, line in zip(texts, guard.log, strict=True))
    assert guard.counts["rollbacks"] == guard.counts["lowered"] == 1
    assert "after 1 rollbacks and 4 steps with an accident" in guard.reason
    assert all(np.isfinite(x).all() for x in state(model))


@pytest.mark.every
def test_after_giving_up_the_model_has_good_weights():
    """Also where the batch that `fit` still trains on is bad."""
    kept = {}

    class Keep(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            kept[batch] = numbers(self.model.trainable_variables)

    model = network(STOCK["SGD"]())
    guard = quiet(every=1, max_rollbacks=0, rate_factor=1.0, keep=9)
    bad = poisoned(nan=[50, 51, 52, 53])
    with pytest.warns(UserWarning, match="the model has the weights of step"):
        train(model, *bad, guard, Keep(), epochs=2)
    step = int(guard.reason.rpartition("step ")[2].rstrip("."))
    assert step < 50
    assert all_equal(numbers(model.trainable_variables), kept[step])


@pytest.mark.every
def test_bad_data_do_not_lower_the_rate():
    model = network(OURS["Adam"]())
    guard = quiet()
    with pytest.warns(UserWarning, match="skipped"):
        train(model, *poisoned(nan=range(3, 90, 5)), guard)
    assert guard.counts["skipped"] == 18
    assert guard.counts["lowered"] == guard.counts["rollbacks"] == 0
    assert model.optimizer.learning_rate_scale == 1


@pytest.mark.every
def test_a_lowered_rate_comes_back(monkeypatch):
    monkeypatch.setattr("keras_optlab.callbacks.spike_guard.RECOVERY", 40)
    model = network(OURS["SGD"]())
    guard = quiet(every=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(model, *poisoned(labels=[30, 36]), guard)
    assert guard.counts["lowered"] == 1
    assert "learning_rate_scale is now 0.5" in guard.log[1]
    assert guard.log[2] == (
        "40 steps without an accident: learning_rate_scale is now 1."
    )
    assert model.optimizer.learning_rate_scale == 1


# What is put back, and what is not.


@pytest.mark.every
def test_counters_averages_and_seeds():
    model = network(
        keras.optimizers.Adam(0.01, use_ema=True), keras.layers.Dropout(0.3)
    )
    guard = quiet()
    train(model, *poisoned(nan=[53]), guard)
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 90
    assert all(np.isfinite(x).all() for x in numbers(model.optimizer.variables))


@pytest.mark.every
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.EMA(optimizers.SGD(0.05)),
        lambda: optimizers.ScheduleFreeAdamW(0.01),
        lambda: optimizers.SAM(optimizers.Adam(0.01)),
        lambda: optimizers.Adam(schedules.Cosine(0.01)),
        lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2),
        lambda: optimizers.SGD(0.05, skip_non_finite=False),
        lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=2),
    ],
)
def test_optimizers_of_many_kinds(optimizer):
    model = network(optimizer())
    guard = quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = train(
            model, *poisoned(nan=[53], labels=[81]), guard, validation_data=(X, Y)
        )
    assert guard.counts["accidents"] >= 2
    assert all(np.isfinite(x).all() for x in numbers(model.variables))
    assert history.history["val_loss"][0] < 3
    assert history.history["loss"][0] < 5


@pytest.mark.every
@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no loss scaling on torch")
@pytest.mark.parametrize("inner", [OURS["SGD"], STOCK["SGD"]])
def test_a_loss_scale_optimizer(inner):
    outer = keras.optimizers.LossScaleOptimizer(inner(), initial_scale=1024.0)
    model = network(outer)
    guard = quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = train(model, *poisoned(nan=[53], labels=[81]), guard)
    assert guard.counts["accidents"] >= 2
    assert all(np.isfinite(x).all() for x in numbers(model.variables))
    assert history.history["loss"][0] < 5


@pytest.mark.every
@pytest.mark.skipif(not COMPILED, reason="torch has no steps_per_execution")
@pytest.mark.parametrize("optimizers_", [OURS, STOCK])
def test_steps_per_execution(optimizers_):
    model = network(optimizers_["Adam"](), steps_per_execution=8)
    guard = quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = train(model, *poisoned(nan=[53], inputs=[81]), guard, epochs=2)
    assert guard.counts["accidents"] >= 4
    assert all(np.isfinite(x).all() for x in numbers(model.variables))
    assert max(history.history["loss"]) < 10


@pytest.mark.every
@pytest.mark.parametrize("last", [98, 99])
@pytest.mark.parametrize("optimizer", [OURS["Adam"], STOCK["Adam"]])
def test_the_last_batches_of_an_epoch(optimizer, last):
    """They are looked at before validation, and the logs do not have them."""
    model = network(optimizer())
    guard = quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = train(
            model, *poisoned(nan=[last]), guard, validation_data=(X, Y)
        ).history
    assert guard.counts["accidents"] == 1
    assert all(math.isfinite(v) for vs in history.values() for v in vs)


@pytest.mark.every
def test_a_model_without_an_input_layer():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(STOCK["SGD"](), "mse")
    guard = quiet()
    train(model, *poisoned(nan=[53]), guard)
    assert guard.counts["undone"] == 10
    assert all(np.isfinite(x).all() for x in state(model))


class OwnLogs(keras.Sequential):
    """A model whose `train_step` reports the loss of the batch, not the mean."""

    if BACKEND == "tensorflow":

        def train_step(self, data):
            import tensorflow as tf

            x, y = data
            with tf.GradientTape() as tape:
                loss = ops.mean(ops.square(self(x, training=True) - y))
            weights = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"my_loss": loss}


@pytest.mark.every
@pytest.mark.skipif(BACKEND != "tensorflow", reason="the step is TensorFlow's")
def test_a_custom_train_step():
    model = OwnLogs([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(STOCK["SGD"]())
    guard = quiet(monitor="my_loss")
    train(model, *poisoned(labels=[53]), guard)
    assert guard.counts["undone"] == 10
    with pytest.warns(UserWarning, match=r"does not report 'loss'. Nothing is watched"):
        train(model, X, Y, quiet())


@pytest.mark.every
def test_generators_and_several_epochs():
    def batches():
        x, y = poisoned(nan=[53])
        while True:
            for i in range(100):
                yield x[4 * i : 4 * i + 4], y[4 * i : 4 * i + 4]

    model = network(STOCK["Adam"]())
    guard = quiet()
    how = {"steps_per_epoch": 50, "epochs": 4, "verbose": 0}
    history = model.fit(batches(), callbacks=[guard], **how)
    assert guard.counts["accidents"] == 2
    assert "step 54" in guard.log[0]
    assert "first in row 1" in guard.log[0]
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.every
def test_training_that_ends_because_all_steps_are_skipped():
    x = X.copy()
    x[40:] = np.nan
    model = network(optimizers.SGD(0.005, stop_after_skips=20))
    guard = quiet()
    with pytest.warns(UserWarning, match="stop_after_skips=20"):
        train(model, x, Y, guard)
    assert "inputs: some of every feature of the batch has NaN" in guard.log[-1]
    assert guard.reason == ""


@pytest.mark.every
@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}])
@pytest.mark.parametrize("of", [OURS, STOCK])
def test_ways_to_execute(of, how):
    if BACKEND == "torch" and "jit_compile" in how:
        pytest.skip("torch compiles for minutes")
    model = network(of["Adam"](), **how)
    guard = quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(model, *poisoned(nan=[13], labels=[31]), guard, steps_per_epoch=40)
    assert guard.counts["accidents"] == 2
    assert all(np.isfinite(x).all() for x in numbers(model.variables))


@pytest.mark.every
@pytest.mark.skipif(
    not hasattr(keras.optimizers, "MultiOptimizer"), reason="of a later Keras"
)
def test_a_multi_optimizer():
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(4), keras.layers.Dense(1, name="stock")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    by_layer = keras.optimizers.OptimizerMap(optimizers.Adam(0.01))
    by_layer[".*stock/.*"] = keras.optimizers.SGD(0.005)
    model = compiled_model(model, keras.optimizers.MultiOptimizer(by_layer), "mse")
    guard = quiet()
    train(model, *poisoned(nan=[53]), guard)
    assert guard.counts["undone"] == 10
    assert all(np.isfinite(x).all() for x in numbers(model.variables))


# Reports and conflicts.


@pytest.mark.every
def test_counts_are_recorded_for_monitor():
    monitor, guard = Monitor(every=10), quiet()
    with pytest.warns(UserWarning, match="skipped"):
        train(network(OURS["SGD"]()), *poisoned(nan=[31]), guard, monitor)
    rows = [r for r in monitor.rows if "spikes/skipped" in r]
    assert [(r["step"], r["spikes/skipped"]) for r in rows] == [(32, 1.0)]


@pytest.mark.every
def test_each_accident_is_printed(capsys):
    with pytest.warns(UserWarning, match="skipped"):
        train(network(OURS["SGD"]()), *poisoned(nan=[31]), SpikeGuard())
    assert capsys.readouterr().out.startswith(
        "SpikeGuard: step 32: the gradient is not finite: not applied. inputs"
    )


@pytest.mark.slow
def test_two_callbacks_do_not_drive_one_rate():
    callbacks = [quiet(), ReduceOnPlateau("loss")]
    model = network(OURS["SGD"]())
    with pytest.raises(ValueError, match="Two callbacks drive 'learning_rate_scale'"):
        train(model, X, Y, *callbacks)
    callbacks[0] = quiet(rate_factor=1.0)
    train(model, X, Y, *callbacks)


def test_a_rate_that_cannot_be_lowered():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)
    model = network(keras.optimizers.SGD(schedule))
    before = numbers(model.weights)
    with pytest.raises(TypeError, match="or pass `rate_factor=1` to leave the rate"):
        train(model, X, Y, quiet())
    assert all_equal(numbers(model.weights), before)
    train(model, X, Y, quiet(rate_factor=1.0))


@pytest.mark.every
def test_a_state_goes_on_in_another_process():
    first = quiet()
    with pytest.warns(UserWarning, match="skipped"):
        train(network(OURS["SGD"]()), *poisoned(nan=[31]), first)
    state = json.loads(json.dumps(first.get_state()))
    second = quiet()
    model = network(OURS["SGD"]())
    second.set_model(model)
    second.on_train_begin()
    second.set_state(state)
    assert second.get_state() == first.get_state()
    assert second.judge.norms.limit == first.judge.norms.limit
    second.on_train_end()


@pytest.mark.every
def test_nothing_is_left_behind():
    model = network(OURS["SGD"]())
    count = len(model.optimizer.variables)
    model.optimizer.build(model.trainable_variables)
    built = len(model.optimizer.variables)
    train(model, X, Y, quiet())
    train(model, X, Y)
    assert count <= len(model.optimizer.variables) == built

    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, X, Y, quiet(), Stop())
    train(model, X, Y)
    assert len(model.optimizer.variables) == built
