"""A loop of `train_on_batch` with two sets of weights: each call moves between them."""

import keras
import numpy as np
import pytest

from keras_optlab import callbacks, optimizers
from keras_optlab.verify.problems import values
from tests.engine.test_evaluation_weights import MOVERS, mover
from tests.engine.test_two_sets import assert_close, assert_same_run, small
from tests.support.devices import ON_ACCELERATOR
from tests.support.problems import regression

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
X, Y = regression(16)


def batches(model, n=3):
    for _ in range(n):
        model.train_on_batch(X, Y)
    return model


def epochs(model, n=3, **how):
    model.fit(X, Y, batch_size=16, epochs=n, verbose=0, shuffle=False, **how)
    return model


@mover
@pytest.mark.slow
def test_is_a_fit(name):
    a, b = (small(MOVERS[name]()) for _ in range(2))
    epochs(epochs(a), 6)
    batches(epochs(batches(b)))
    assert_same_run(a, b)


@mover
@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}])
@pytest.mark.slow
def test_compiled_in_another_way(name, how):
    if BACKEND == "torch" and "jit_compile" in how:
        pytest.skip("takes a compiler of C++")
    assert_same_run(
        batches(small(MOVERS[name]())), batches(small(MOVERS[name](), **how))
    )


@mover
@pytest.mark.slow
def test_where_the_weights_train_already(name):
    a, b = (batches(small(MOVERS[name]())) for _ in range(2))
    with b.optimizer.training_weights():
        batches(b)
    assert_same_run(batches(a), b)


@pytest.mark.every
@mover
def test_a_function_made_anew(name):
    a, b = (batches(small(MOVERS[name]())) for _ in range(2))
    b.make_train_function(force=True)
    assert_same_run(batches(a), batches(b))
    clip = callbacks.GradientClipping(global_norm=1e-3)
    for model in (a, b):
        epochs(model, callbacks=[clip])
    b.train_function = None
    assert_same_run(batches(a), batches(b))


@pytest.mark.every
@mover
def test_before_the_model_is_built(name):
    def unbuilt():
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
        model.compile(MOVERS[name](), "mse")
        return model

    assert_same_run(batches(unbuilt()), epochs(unbuilt()))


@mover
@pytest.mark.skipif(BACKEND == "jax", reason="reads another row where there is none")
@pytest.mark.slow
def test_a_batch_that_fails_leaves_the_weights_to_evaluate(name):
    def with_rows():
        keras.utils.set_random_seed(3)
        layers = [keras.layers.Embedding(5, 4), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((2,), dtype="int32"), *layers])
        model.compile(MOVERS[name](), "mse")
        return model

    good, y = np.array([[0, 1], [2, 3]]), np.ones((2, 2, 1))
    a, b = with_rows(), with_rows()
    for model in (a, b):
        for _ in range(2):
            model.train_on_batch(good, y)
    before = values(b.weights)
    if not ON_ACCELERATOR:  # it zeroes such rows, or ends the process' use of it
        with pytest.raises(Exception, match=r"indices|index out of range"):
            b.train_on_batch(good + 9, y)
    with pytest.raises(Exception, match="shape|size|dim"):
        b.train_on_batch(good, np.ones((2, 7, 3)))
    assert_close(before, values(b.weights))
    for model in (a, b):
        model.train_on_batch(good, y)
    assert_close(values(a.weights), values(b.weights))
    with a.optimizer.training_weights(), b.optimizer.training_weights():
        assert_close(values(a.weights), values(b.weights))


@pytest.mark.slow
def test_a_second_look_and_an_average():
    """EMA (two sets of weights) around SAM (a second pass)."""
    a, b = (
        small(optimizers.EMA(optimizers.SAM(optimizers.SGD(0.1)))) for _ in range(2)
    )
    assert_same_run(batches(a), epochs(b))
