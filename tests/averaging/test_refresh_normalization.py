"""Normalization statistics computed anew, by hand and by `fit`."""

import sys
import warnings

import keras
import numpy as np
import pytest
from keras import layers

import keras_optlab as kol
from keras_optlab import optimizers
from keras_optlab.averaging.batches import NotReadableError, input_batches
from keras_optlab.verify.problems import values
from tests.engine.test_other_statistics import data, normalized, sgd, statistics

refreshing = sys.modules["keras_optlab.averaging.refresh_in_fit"]
HOW = {"batch_size": 8, "verbose": 0}
RENEWING = {
    "swa": lambda: optimizers.SWA(sgd()),
    "lawa": lambda: optimizers.LAWA(sgd(), average_checkpoints=2, average_period=2),
    "schedulefree": lambda: optimizers.ScheduleFreeSGD(0.05),
}
rest = [pytest.param(n, marks=pytest.mark.every) for n in ("lawa", "schedulefree")]
renewing = pytest.mark.parametrize("name", ["swa", *rest])


def by_hand(model, batches):
    """Return the mean statistics of batches, from a plain forward pass."""
    (kernel, bias), sizes = values(model.layers[0].weights), []
    found = []
    for x in batches:
        h = np.tanh(np.asarray(x, "float64") @ kernel + bias)
        found.append(np.concatenate([h.mean(axis=0), h.var(axis=0)]))
        sizes.append(len(x))
    return np.average(found, axis=0, weights=sizes)


def batches_of(x, batch_size=8, steps=100):
    found = input_batches(x, batch_size, steps)
    return [keras.ops.convert_to_numpy(b) for b in found]


def test_they_are_the_mean_of_the_batches():
    model = normalized(sgd())
    before = model.get_weights()
    x, _ = data()
    kol.refresh_normalization(model, x, batch_size=8)
    batches = batches_of(x)
    assert [len(b) for b in batches] == [8, 8, 8, 4]
    np.testing.assert_array_equal(np.sort(np.concatenate(batches), 0), np.sort(x, 0))
    np.testing.assert_allclose(statistics(model), by_hand(model, batches), rtol=1e-4)
    after = model.get_weights()
    for i in (0, 1, 2, 3, 6, 7):
        np.testing.assert_array_equal(before[i], after[i])


def test_what_was_not_finite_is_replaced():
    model = normalized(sgd())
    norm = model.get_layer("norm")
    norm.moving_mean.assign(np.full(5, np.nan))
    kol.refresh_normalization(model, data()[0])
    assert np.isfinite(statistics(model)).all()
    assert norm.momentum == 0.7


@renewing
def test_fit_makes_those_of_the_evaluation_weights(name):
    """SWA's statistics after `fit` equal a pass over the data by hand."""
    model = normalized(RENEWING[name]())
    x, y = data()
    history = model.fit(x, y, epochs=3, validation_data=(x, y), **HOW)
    expected = by_hand(model, batches_of(x))
    np.testing.assert_allclose(statistics(model), expected, rtol=1e-4, atol=1e-6)
    found = model.evaluate(x, y, verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(found, rel=1e-5)
    with model.optimizer.training_weights():
        assert not np.allclose(statistics(model), expected, rtol=1e-2)


@pytest.mark.every
@renewing
def test_training_is_not_disturbed(name, monkeypatch):
    """Weights, statistics, seeds and losses of training are equal, bit by bit."""
    ends = []
    x, y = data()
    for how in ("computed", "not computed"):
        if how == "not computed":
            monkeypatch.setattr(refreshing, "refresh_statistics", lambda *_: None)
        keras.utils.set_random_seed(0)
        norm = layers.BatchNormalization(momentum=0.7, name="norm")
        own = [keras.Input((4,)), layers.Dense(5), layers.Dropout(0.4), norm]
        model = keras.Sequential([*own, layers.Dense(1)])
        model.compile(RENEWING[name](), "mse", metrics=["mae"])
        fits = [
            model.fit(x, y, epochs=2, validation_data=(x, y), **HOW) for _ in range(2)
        ]
        current = model.optimizer.evaluation_statistics.is_current()
        assert current == (how == "computed")
        with model.optimizer.training_weights():
            ends.append(values(model.variables))
        ends[-1] += [np.array(f.history[k]) for f in fits for k in ("loss", "mae")]
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


def errors_of_statistics(optimizer):
    """Return how far own and raw statistics move the outputs from refreshed ones.

    The rate is so high that the weights jump, and the activations with them. With a
    low momentum the raw statistics are those of the last weights.
    """
    keras.utils.set_random_seed(1)
    norm = layers.BatchNormalization(momentum=0.1, name="norm")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(16, "tanh"), norm])
    model.add(layers.Dense(1))
    model.compile(optimizer, "mse")
    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    noise = np.random.default_rng(1).normal(size=(256, 1))
    y = (np.sin(x[:, :1]) + noise).astype("float32")
    model.fit(x, y, epochs=6, batch_size=16, verbose=0)
    predicted = model.predict(x, verbose=0)
    with model.optimizer.training_weights():
        raw = statistics(model)
    held = model.get_weights()
    kol.refresh_normalization(model, x, batch_size=16)
    best = model.predict(x, verbose=0)
    held[4:6] = raw[:16], raw[16:]
    model.set_weights(held)
    errors = predicted - best, model.predict(x, verbose=0) - best
    return [float(np.mean(e**2)) for e in errors]


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.EMA(optimizers.SGD(0.15), average_decay=0.9),
        pytest.param(
            lambda: optimizers.PowerEMA(optimizers.SGD(0.15)), marks=pytest.mark.every
        ),
    ],
    ids=["ema", "powerema"],
)
def test_averaged_statistics_fit_the_averaged_weights(make):
    """Outputs are closer to those with refreshed statistics than with raw ones."""
    own, raw = errors_of_statistics(make())
    assert raw > 2 * own


@pytest.mark.every
def test_a_second_fit_goes_on_from_the_statistics_of_training(tmp_path):
    """Also after a file."""
    model = normalized(RENEWING["swa"]())
    x, y = data()
    model.fit(x, y, shuffle=False, **HOW)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    sets = []
    for one in (model, loaded):
        evaluated = statistics(one)
        with one.optimizer.training_weights():
            sets.append((evaluated, statistics(one)))
    for a, b in zip(*sets, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.allclose(*sets[0])


@pytest.mark.every
def test_before_the_average_begins_nothing_is_computed():
    model = normalized(optimizers.SWA(sgd(), average_from=1000))
    model.fit(*data(), validation_data=data(), **HOW)
    assert not model.optimizer.evaluation_statistics.is_current()


class Sequence(keras.utils.PyDataset):
    """Batches with random noise from NumPy's global generator."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        x, y = data(32)
        noise = np.random.normal(size=(8, 4)).astype("float32")
        return x[8 * i : 8 * i + 8] + 0.1 * noise, y[8 * i : 8 * i + 8]


def shuffled():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(data(32)).shuffle(32, seed=1).batch(8)


@pytest.mark.every
@pytest.mark.parametrize("kind", [Sequence, shuffled], ids=["PyDataset", "tf.data"])
def test_other_data_are_read_again_without_effect_on_training(kind, monkeypatch):
    if kind is shuffled:
        pytest.importorskip("tensorflow")
    ends = []
    for how in ("computed", "not computed"):
        if how == "not computed":
            monkeypatch.setattr(refreshing, "refresh_statistics", lambda *_: None)
        model = normalized(RENEWING["swa"]())
        model.fit(kind(), validation_data=data(8), epochs=3, verbose=0)
        current = model.optimizer.evaluation_statistics.is_current()
        assert current == (how == "computed")
        with model.optimizer.training_weights():
            ends.append(values(model.weights))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.every
def test_a_generator_warns_once():
    def generate():
        while True:
            yield data(8)

    model = normalized(RENEWING["swa"]())
    how = {"steps_per_epoch": 3, "epochs": 2, "verbose": 0}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(generate(), validation_data=data(8), **how)
        model.evaluate(*data(8), verbose=0)
    assert len([w for w in told if "statistics" in str(w.message)]) == 1


def test_steps_one_at_a_time_warn_at_the_evaluation():
    model = normalized(RENEWING["swa"]())
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for _ in range(3):
            model.train_on_batch(*data(8))
    with pytest.warns(UserWarning, match="no `fit` of this model runs"):
        model.evaluate(*data(8), verbose=0)
    kol.refresh_normalization(model, data()[0], batch_size=8)
    expected = by_hand(model, batches_of(data()[0]))
    np.testing.assert_allclose(statistics(model), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.every
def test_models_without_normalization_are_left_alone():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(RENEWING["swa"](), "mse")
    before = model.get_weights()
    kol.refresh_normalization(model, data()[0])
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    model.fit(*data(), **HOW)
    assert model.optimizer.evaluation_statistics is None


def test_bad_input_says_what_it_received():
    model, x = normalized(sgd()), data()[0]
    with pytest.raises(TypeError, match="Received: model=3"):
        kol.refresh_normalization(3, x)
    with pytest.raises(ValueError, match="has no weights yet"):
        kol.refresh_normalization(keras.Sequential([layers.BatchNormalization()]), x)
    for steps, error in ((0, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match=f"Received: steps={steps}"):
            kol.refresh_normalization(model, x, steps)
    with pytest.raises(NotReadableError, match="only once"):
        input_batches(iter([x]), 8, 2)
    before = statistics(model)
    with pytest.raises(Exception):  # noqa: B017, PT011  # of the backend
        kol.refresh_normalization(model, np.zeros((8, 3), "float32"))
    np.testing.assert_array_equal(before, statistics(model))
    assert model.get_layer("norm").momentum == 0.7


def test_only_the_first_share_of_arrays_is_training_data():
    x = np.arange(10.0)[:, None]
    found = np.concatenate(batches_of(x))
    assert len(found) == 10
    found = list(input_batches(x, 4, 100, share=0.5))
    rows = np.concatenate([keras.ops.convert_to_numpy(b) for b in found])
    assert sorted(rows[:, 0]) == [0, 1, 2, 3, 4]
