import sys

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.datasets import diamonds
from keras_optlab.lab.problems import find, names
from keras_optlab.lab.problems.char_gpt import CONTEXT
from keras_optlab.lab.problems.char_gpt import model as transformer

QUICK_FIRST = sorted(names(), key=lambda name: name != "quadratic-100")


def compiled(problem, optimizer):
    model = problem.model()
    metrics = list(problem.metrics)
    model.compile(optimizer, loss=problem.loss, metrics=metrics)
    return model


def first(part, rows):
    return keras.tree.map_structure(lambda a: a[:rows], part)


def needs(name):
    if name == "diabetes-mlp":
        pytest.importorskip("sklearn")


@pytest.mark.sampled
@pytest.mark.parametrize("name", QUICK_FIRST)
def test_three_updates_change_every_weight(name):
    needs(name)
    problem = find(name)
    model = compiled(problem, optimizers.Adam(1e-3))
    before = [keras.ops.convert_to_numpy(w) for w in model.trainable_variables]
    x, y = first(problem.splits.train, 3 * problem.batch_size)
    model.fit(x, y, batch_size=problem.batch_size, verbose=0)
    assert int(keras.ops.convert_to_numpy(model.optimizer.updates)) == 3
    for old, weight in zip(before, model.trainable_variables, strict=True):
        assert not np.array_equal(old, keras.ops.convert_to_numpy(weight)), weight.path
    x, y = first(problem.splits.validation, 100)
    values = model.evaluate(x, y, verbose=0, return_dict=True)
    assert all(map(np.isfinite, values.values()))
    assert problem.target.metric in values
    assert problem.monitor in values
    assert not problem.target.is_reached(values[problem.target.metric])


@pytest.mark.every
@pytest.mark.parametrize("name", names())
def test_budgets_and_parts(name):
    needs(name)
    problem = find(name)
    data = problem.splits
    assert 100 <= problem.updates <= 7000
    assert 10 <= problem.updates / problem.evaluate_every <= 250
    assert data.validation is not None
    drawn = [
        np.concatenate([a[:50].reshape(-1) for a in keras.tree.flatten(part)])
        for part in data
        if part is not None and len(part[1]) > 50
    ]
    assert not any(np.array_equal(drawn[0], other) for other in drawn[1:])


@pytest.mark.every
def test_the_error_of_a_price_is_that_of_its_logarithm():
    problem = find("diamonds-mlp")
    model = compiled(problem, optimizers.SGD(1e-3))
    x, y = problem.splits.test
    said = model.evaluate(x, y, batch_size=1000, verbose=0, return_dict=True)
    gems = diamonds()
    predicted, true = (
        np.log(gems.dollars(a.astype("float64")))
        for a in (model.predict(x, verbose=0), y)
    )
    exact = np.sqrt(np.mean((predicted - true) ** 2))
    assert said["rmse"] == pytest.approx(exact, rel=1e-4)


@pytest.mark.every
def test_diabetes_says_which_extra_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    from keras_optlab.lab.problems.tabular import patients

    patients.cache_clear()
    with pytest.raises(ImportError, match=r"pip install 'keras-optlab\[lab\]'"):
        find("diabetes-mlp").splits  # noqa: B018


@pytest.mark.every
def test_the_transformer_does_not_see_the_next_character():
    model = transformer()
    x = np.random.RandomState(0).randint(75, size=(1, CONTEXT))
    changed = x.copy()
    changed[0, 40:] = (x[0, 40:] + 1) % 75
    one, other = (model.predict(a, verbose=0)[0] for a in (x, changed))
    np.testing.assert_allclose(one[:40], other[:40], atol=1e-5)
    assert abs(one[40:] - other[40:]).max(axis=1).min() > 1e-3
    (x, y), *_ = find("char-gpt").splits
    np.testing.assert_array_equal(x.reshape(-1)[1:], y.reshape(-1)[:-1])


@pytest.mark.every
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="sparse gradients")
def test_gradients_of_embeddings_are_sparse():
    import tensorflow as tf

    problem = find("embedding")
    model = compiled(problem, optimizers.SGD(1e-3))
    x, y = first(problem.splits.train, 16)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - y) ** 2)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_variables])
    assert [type(g) for g in gradients] == [tf.IndexedSlices] * 2
