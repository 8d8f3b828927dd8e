"""Soups: means of saved models."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_optlab as kol
from keras_optlab import optimizers
from keras_optlab.verify.problems import values
from tests.engine.test_other_statistics import data, normalized, sgd, statistics

REST = [pytest.param(kind, marks=pytest.mark.every) for kind in ("keras", "weights.h5")]


def plain(seed, units=3, optimizer="sgd"):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(units, "tanh"), layers.Dense(1)]
    )
    model.compile(optimizer, "mse")
    return model


def mean_of(models):
    rows = zip(*(m.get_weights() for m in models), strict=True)
    return [np.mean(row, axis=0, dtype="float64") for row in rows]


def assert_weights(model, expected):
    for a, b in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["models", "mixed", *REST])
@pytest.mark.slow
def test_it_is_the_mean_of_the_members(kind, tmp_path):
    models = [plain(i) for i in range(3)]
    for m in models:
        m.fit(*data(), verbose=0)
    paths = [tmp_path / f"{i}.{kind}" for i in range(3)]
    if kind in ("keras", "weights.h5"):
        for m, path in zip(models, paths, strict=True):
            m.save(path) if kind == "keras" else m.save_weights(path)
    elif kind == "mixed":
        paths = [str(tmp_path / "0.keras"), tmp_path / "1.weights.h5", models[2]]
        models[0].save(paths[0])
        models[1].save_weights(paths[1])
    else:
        paths = models
    before = [m.get_weights() for m in models]
    into = plain(9) if kind == "weights.h5" else None
    soup = kol.soup(paths, model=into)
    assert_weights(soup, mean_of(models))
    assert soup.soup_members == (0, 1, 2)
    assert into is None or soup is into
    for m, old in zip(models, before, strict=True):
        assert soup is not m
        assert_weights(m, old)
    if kind != "models":
        assert int(soup.optimizer.iterations) == 0
        soup.fit(*data(), verbose=0)


@pytest.mark.every
def test_it_takes_evaluation_weights(tmp_path):
    models = [
        plain(i, optimizer=optimizers.EMA(sgd(), average_decay=0.5)) for i in range(2)
    ]
    for i, m in enumerate(models):
        m.fit(*data(), verbose=0)
        m.save(tmp_path / f"{i}.keras")
    soup = kol.soup([tmp_path / "0.keras", tmp_path / "1.keras"])
    assert_weights(soup, mean_of(models))
    with soup.optimizer.training_weights():
        assert_weights(soup, mean_of(models))


def test_the_greedy_soup_keeps_what_helps():
    """The target is the mean of two members; the third is far away."""
    models = [plain(0) for _ in range(4)]
    start = models[0].get_weights()
    for m, shift in zip(models, (1.0, 30.0, -1.0, 0.1), strict=True):
        m.set_weights([w + shift for w in start])

    def score(model):
        pairs = zip(model.get_weights(), start, strict=True)
        return -sum(np.abs(w - s).sum() for w, s in pairs)

    soup = kol.soup(models, score=score)
    assert soup.soup_members == (3, 2) or soup.soup_members == (3,)
    assert score(soup) >= score(models[3]) - 1e-5
    models[3].set_weights([w + 2.0 for w in start])
    soup = kol.soup(models, score=score)  # 1 and -1 tie for the best
    assert soup.soup_members == (0, 2)
    assert_weights(soup, start)


def test_statistics_are_made_from_data_or_a_warning_says_that_they_are_not():
    models = [normalized(sgd()) for _ in range(2)]
    models[1].set_weights([w + 1 for w in models[1].get_weights()])
    with pytest.warns(UserWarning, match="normalization layers"):
        soup = kol.soup(models)
    assert_weights(soup, mean_of(models))
    soup = kol.soup(models, data=data()[0])
    refreshed = statistics(soup)
    kol.refresh_normalization(soup, data()[0])
    np.testing.assert_allclose(statistics(soup), refreshed, rtol=1e-6)
    assert not np.allclose(refreshed, np.concatenate(mean_of(models)[4:6]))


@pytest.mark.every
def test_integers_are_those_of_the_first():
    class Counted(layers.Layer):
        def build(self, shape):
            make = {"shape": (), "initializer": "zeros", "trainable": False}
            self.count = self.add_weight(dtype="int32", name="count", **make)

        def call(self, x):
            return x

    models = [keras.Sequential([keras.Input((2,)), Counted(), layers.Dense(1)])]
    models.append(keras.models.clone_model(models[0]))
    for i, m in enumerate(models):
        m.layers[0].count.assign(5 + i)
    soup = kol.soup(models)
    assert int(soup.layers[0].count) == 5
    expected = mean_of(models)[1]
    np.testing.assert_allclose(values(soup.layers[1].weights)[0], expected, rtol=1e-6)


def test_bad_input_says_what_it_received(tmp_path):
    a, b = plain(0), plain(1, units=4)
    with pytest.raises(ValueError, match=r"\(4, 4\)\) here, .*\(4, 3\)\) expected"):
        kol.soup([a, b])
    with pytest.raises(ValueError, match="2 weights here, 4 expected"):
        kol.soup([a, keras.Sequential([keras.Input((4,)), layers.Dense(3, "tanh")])])
    a.save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ValueError, match="Pass `model=`"):
        kol.soup([tmp_path / "a.weights.h5"])
    with pytest.raises(ValueError, match="does not fit the model"):
        kol.soup([tmp_path / "a.weights.h5"], model=b)
    with pytest.raises(ValueError, match="at least one member"):
        kol.soup([])
    with pytest.raises(ValueError, match="no such file"):
        kol.soup([tmp_path / "missing.keras"])
    for bad in ("a.keras", a, 3):
        with pytest.raises(TypeError, match="must be a list"):
            kol.soup(bad)
    with pytest.raises(TypeError, match="A member must be"):
        kol.soup([3])
    with pytest.raises(TypeError, match="score=3"):
        kol.soup([a], score=3)
