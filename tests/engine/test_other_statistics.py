"""Normalization statistics of averaged weights: averaged, saved, moved."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_optlab import Group, callbacks, optimizers
from keras_optlab.engine.update import other_statistics
from keras_optlab.engine.update.other_statistics import second_sets
from keras_optlab.verify.problems import values

BACKEND = keras.backend.backend()
HOW = {"batch_size": 8, "verbose": 0, "shuffle": False}


def data(n=28):
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(n, 4)).astype("float32")
    return x, x[:, :1] * 0.3 + 1


def normalized(optimizer, **how):
    """Return a small seeded network with batch normalization."""
    keras.utils.set_random_seed(3)
    norm = layers.BatchNormalization(momentum=0.7, name="norm")
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "tanh"), norm, layers.Dense(1)]
    )
    model.compile(optimizer, "mse", **how)
    return model


def statistics(model):
    norm = model.get_layer("norm")
    return np.concatenate(values([norm.moving_mean, norm.moving_variance]))


class Recording(keras.callbacks.Callback):
    """The raw statistics after each batch."""

    def on_train_begin(self, logs=None):
        self.raw = []

    def on_train_batch_end(self, batch, logs=None):
        self.raw.append(statistics(self.model))


def exponential(raw, decay=0.8):
    mean = raw[0]
    for x in raw[1:]:
        mean = decay * mean + (1 - decay) * x
    return mean


def power(raw, gamma=3.0):
    mean = 0.0
    for t, x in enumerate(raw, 1):
        beta = (1 - 1 / t) ** (gamma + 1)
        mean = beta * mean + (1 - beta) * x
    return mean


def sgd():
    return optimizers.SGD(0.05)


AVERAGES = {
    "ema": (lambda: optimizers.EMA(sgd(), average_decay=0.8), exponential),
    "powerema": (lambda: optimizers.PowerEMA(sgd(), tail_power=3.0), power),
    "use_ema": (
        lambda: optimizers.SGD(0.05, use_ema=True, ema_momentum=0.8),
        exponential,
    ),
}
rest = pytest.mark.every
each_average = pytest.mark.parametrize(
    "name", ["ema", "use_ema", pytest.param("powerema", marks=rest)]
)
each_wrapper = pytest.mark.parametrize(
    "name", ["ema", pytest.param("powerema", marks=rest)]
)
WAYS = {"plain": {}, "eager": {"run_eagerly": True}, "jit": {"jit_compile": True}}
REST = [pytest.param(way, marks=pytest.mark.every) for way in ("eager", "jit")]


@each_average
@pytest.mark.parametrize("way", ["plain", *REST])
@pytest.mark.slow
def test_they_are_averaged_as_the_weights_are(name, way):
    make, average = AVERAGES[name]
    if way == "jit" and BACKEND == "torch":
        pytest.skip("torch.compile is not ours")
    model, recording = normalized(make(), **WAYS[way]), Recording()
    model.fit(*data(), epochs=3, callbacks=[recording], **HOW)
    assert len(recording.raw) == 12
    np.testing.assert_allclose(
        statistics(model), average(recording.raw), rtol=1e-5, atol=1e-6
    )


@each_average
@pytest.mark.slow
def test_training_goes_on_with_its_own(name, monkeypatch):
    """Weights and raw statistics are those of a run without averages, bit by bit."""
    ends = []
    for averaged in (True, False):
        if not averaged:
            monkeypatch.setattr(other_statistics, "normalization_layers", lambda _: [])
        model, recording = normalized(AVERAGES[name][0]()), Recording()
        model.fit(*data(), validation_data=data(8), callbacks=[recording], **HOW)
        if name != "use_ema":  # which starts the next `fit` from the averages
            model.fit(*data(), callbacks=[recording], **HOW)
        assert len(second_sets(model.optimizer)) == averaged
        ends.append([*recording.raw, *values(model.trainable_variables)])
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


@each_wrapper
@pytest.mark.slow
def test_validation_and_evaluation_see_the_averages(name):
    make, average = AVERAGES[name]
    model, recording = normalized(make()), Recording()
    history = model.fit(*data(), validation_data=data(), callbacks=[recording], **HOW)
    found = model.evaluate(*data(), verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(found, rel=1e-5)
    by_hand = normalized("sgd")
    by_hand.set_weights(model.get_weights())
    np.testing.assert_allclose(
        statistics(by_hand), average(recording.raw), rtol=1e-5, atol=1e-6
    )
    assert by_hand.evaluate(*data(), verbose=0) == pytest.approx(found, rel=1e-5)
    with model.optimizer.training_weights():
        np.testing.assert_array_equal(statistics(model), recording.raw[-1])


@each_wrapper
@pytest.mark.parametrize("kind", ["keras", pytest.param("weights.h5", marks=rest)])
@pytest.mark.slow
def test_both_sets_survive_a_file(name, kind, tmp_path):
    model = normalized(AVERAGES[name][0]())
    model.fit(*data(), **HOW)
    path = str(tmp_path / f"model.{kind}")
    if kind == "keras":
        model.save(path)
        loaded = keras.saving.load_model(path)
    else:
        model.save_weights(path)
        loaded = normalized(AVERAGES[name][0]())
        loaded.load_weights(path)
    np.testing.assert_array_equal(statistics(model), statistics(loaded))
    for m in model, loaded:
        m.fit(*data(), **HOW)
    np.testing.assert_allclose(statistics(model), statistics(loaded), rtol=1e-6)
    for m in model, loaded:
        with m.optimizer.training_weights():
            m.raw = statistics(m)
    np.testing.assert_allclose(model.raw, loaded.raw, rtol=1e-6)
    assert not np.allclose(model.raw, statistics(model))


@pytest.mark.slow
def test_steps_one_at_a_time_average_too():
    """`train_on_batch` switches both sets in the same call."""
    ends = []
    x, y = data(32)
    whole, recording = normalized(AVERAGES["ema"][0]()), Recording()
    whole.fit(x, y, callbacks=[recording], **HOW)
    parts = normalized(AVERAGES["ema"][0]())
    for i in range(4):
        parts.train_on_batch(x[8 * i : 8 * i + 8], y[8 * i : 8 * i + 8])
    ends = [statistics(m) for m in (whole, parts)]
    np.testing.assert_allclose(*ends, rtol=1e-5)
    np.testing.assert_allclose(ends[0], exponential(recording.raw), rtol=1e-5)


def test_skipped_steps_and_micro_batches_are_not_averaged():
    inner = optimizers.SGD(0.05, gradient_accumulation_steps=2)
    model, recording = normalized(optimizers.EMA(inner, average_decay=0.8)), Recording()
    x, y = data(40)
    x[33] = np.nan  # in the fifth batch, which is skipped
    model.fit(x, y, callbacks=[recording], **HOW)
    assert int(model.optimizer.updates) == 2
    np.testing.assert_allclose(
        statistics(model), exponential(recording.raw[1:4:2]), rtol=1e-5
    )


@rest
def test_several_steps_per_execution():
    ends = []
    for n in (1, 3):
        model = normalized(AVERAGES["ema"][0](), steps_per_execution=n)
        if n > 1 and BACKEND == "torch":
            pytest.skip("Keras has none on torch")
        model.fit(*data(), epochs=2, **HOW)
        ends.append(statistics(model))
    np.testing.assert_allclose(*ends, rtol=1e-6)


@rest
def test_weights_set_by_hand_begin_both_sets():
    model = normalized(AVERAGES["ema"][0]())
    model.fit(*data(), **HOW)
    new = [w + 1 for w in model.get_weights()]
    model.set_weights(new)
    for a, b in zip(new, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with model.optimizer.training_weights():
        np.testing.assert_array_equal(statistics(model), np.concatenate(new[4:6]))


@rest
def test_a_group_averages_its_statistics_with_its_own_decay():
    group = Group("norm/*", average_decay=0.5)
    optimizer = optimizers.EMA(sgd(), average_decay=0.8, groups=[group])
    model, recording = normalized(optimizer), Recording()
    model.fit(*data(), callbacks=[recording], **HOW)
    expected = exponential(recording.raw, 0.5)
    np.testing.assert_allclose(statistics(model), expected, rtol=1e-5)


@rest
def test_frozen_layers_are_left_out():
    model = normalized(AVERAGES["ema"][0]())
    model.get_layer("norm").trainable = False
    model.compile(AVERAGES["ema"][0](), "mse")
    before = statistics(model)
    model.fit(*data(), **HOW)
    assert model.optimizer.evaluation_statistics is None
    np.testing.assert_array_equal(statistics(model), before)


@rest
def test_a_layer_of_ones_own_counts():
    @keras.saving.register_keras_serializable("tests")
    class Own(layers.BatchNormalization):
        pass

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), Own(center=False, scale=False)])
    model = keras.Sequential([keras.Input((4,)), model, layers.Dense(1)])
    model.compile(AVERAGES["ema"][0](), "mse")
    model.fit(*data(), **HOW)
    assert len(model.optimizer.evaluation_statistics.parts[0].variables) == 2


@rest
def test_a_model_built_by_its_first_batch():
    keras.utils.set_random_seed(0)
    norm = layers.BatchNormalization(momentum=0.7, name="norm")
    model = keras.Sequential([layers.Dense(5), norm, layers.Dense(1)])
    model.compile(AVERAGES["ema"][0](), "mse")
    recording = Recording()
    model.fit(*data(), callbacks=[recording], **HOW)
    np.testing.assert_allclose(statistics(model), exponential(recording.raw), rtol=1e-5)


@pytest.mark.skipif(BACKEND == "jax", reason="its steps cannot read the statistics")
def test_a_loop_of_ones_own():
    model = normalized(AVERAGES["ema"][0]())
    optimizer, raw = model.optimizer, []
    with optimizer.training_weights():
        for _ in range(3):
            model(data()[0], training=True)
            gradients = [ops.ones(w.shape) for w in model.trainable_variables]
            optimizer.apply(gradients, model.trainable_variables)
            raw.append(statistics(model))
    np.testing.assert_allclose(statistics(model), exponential(raw), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("swap_on_epoch", [False, pytest.param(True, marks=rest)])
def test_callbacks_of_use_ema_take_the_statistics_too(swap_on_epoch, tmp_path):
    model, recording = normalized(AVERAGES["use_ema"][0]()), Recording()
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=swap_on_epoch)
    seen = []
    see = keras.callbacks.LambdaCallback(
        on_test_batch_end=lambda batch, logs: seen.append(  # noqa: ARG005
            statistics(see.model)  # on JAX, the trainer returns the variables
        )
    )
    keep = callbacks.AverageModelCheckpoint(False, tmp_path / "{epoch}.keras")
    own = [recording, swap, see, *([] if swap_on_epoch else [keep])]
    model.fit(*data(), epochs=2, validation_data=data(8), callbacks=own, **HOW)
    firsts = exponential(recording.raw[:4])
    np.testing.assert_allclose(seen[0], firsts, rtol=1e-5, atol=1e-6)
    whole = exponential(recording.raw)
    np.testing.assert_allclose(statistics(model), whole, rtol=1e-5, atol=1e-6)
    if not swap_on_epoch:
        loaded = keras.saving.load_model(tmp_path / "1.keras")
        np.testing.assert_allclose(statistics(loaded), firsts, rtol=1e-5, atol=1e-6)
