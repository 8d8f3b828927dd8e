"""The first NaN or infinity of a batch, from the data to the gradients."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab.spikes import first_non_finite, non_finite_data, traced
from tests.support.problems import compiled_model

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def network(*layers, loss="mse"):
    dense = keras.layers.Dense
    given = [keras.Input((3,)), dense(4, name="first"), *layers, dense(1, name="last")]
    return compiled_model(keras.Sequential(given), "sgd", loss)


def with_bad(x, *places, value=np.nan):
    x = x.copy()
    for place in places:
        x[place] = value
    return x


@pytest.mark.parametrize(
    ("batch", "text"),
    [
        (
            (with_bad(X, (5, 2)), Y),
            "inputs: feature 2 of the batch has NaN, in 1 of 8 rows, first in row 5",
        ),
        (
            (with_bad(X, (5, 2), (1, 0), value=np.inf), Y),
            "inputs: feature 0 and 1 more of the batch has Inf, in 2 of 8 rows, first "
            "in row 1",
        ),
        (
            (with_bad(X, 4), Y),
            "inputs: some of every feature of the batch has NaN, in 1 of 8 rows, first "
            "in row 4",
        ),
        (
            ({"a": X, "b": with_bad(np.ones((8, 4, 4)), (2, 1, 3))},),
            "inputs['b']: feature (1, 3) of the batch has NaN, in 1 of 8 rows, first "
            "in row 2",
        ),
        (
            (X, (Y, with_bad(np.ones(8), 6))),
            "targets[1]: NaN in 1 of 8 rows, first in row 6",
        ),
        (
            (X, Y, with_bad(np.ones(8), 0)),
            "sample weights: NaN in 1 of 8 rows, first in row 0",
        ),
    ],
)
def test_bad_data_are_named(batch, text):
    found = non_finite_data(batch)
    assert (found.kind, found.text) == ("data", text)


def test_good_data_and_integers_are_passed():
    assert non_finite_data((X, np.arange(8))) is None
    assert non_finite_data(np.array(["a", "b"])) is None


class Overflows(keras.layers.Layer):
    def call(self, x):
        return ops.exp(1000 + ops.abs(x))


class Nested(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = Overflows(name="inner")

    def call(self, x):
        return self.inner(x)


@pytest.mark.parametrize(
    ("layer", "name"), [(Overflows(name="big"), "big"), (Nested(name="outer"), "inner")]
)
def test_the_layer_that_overflows_is_named(layer, name):
    found = first_non_finite(network(layer), (X, Y))
    assert found.kind == "layer"
    assert found.text == f"layer {name}: output has Inf, its input was finite"


def test_a_bad_weight_is_named():
    model = network()
    kernel = model.get_layer("last").kernel
    kernel.assign(np.nan * np.ones((4, 1)))
    assert first_non_finite(model, (X, Y)).text == f"weight {kernel.path} has NaN"


def test_a_loss_that_is_not_finite():
    model = network(loss=lambda y, p: ops.mean(ops.log(-ops.abs(p))))
    found = first_non_finite(model, (X, Y))
    assert (found.kind, found.text) == (
        "loss",
        "loss: it is NaN, and the outputs were finite",
    )


def test_a_gradient_that_is_not_finite():
    zeros = keras.layers.Dense(2, kernel_initializer="zeros", name="zeros")
    root = keras.layers.Lambda(ops.sqrt)  # its derivative at 0 is infinite
    model = network(zeros, root)
    found = first_non_finite(model, (X, Y))
    assert found.kind == "gradient"
    assert "zeros/kernel, " in found.text
    assert " and 1 before it only" in found.text
    assert found.text.endswith("only: the outputs and the loss were finite")


def test_nothing_is_changed():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = network(layers.BatchNormalization(), layers.Dropout(0.5))
    model.fit(X, Y, epochs=1, verbose=0)
    before = [ops.convert_to_numpy(v) for v in model.variables]
    metrics = [ops.convert_to_numpy(v) for v in model.metrics_variables]
    np.random.seed(3)
    assert first_non_finite(model, (X, Y)) is None
    assert np.random.random() == np.random.RandomState(3).random_sample()
    for v, x in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(v), x)
    for v, x in zip(model.metrics_variables, metrics, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(v), x)


def test_a_batch_that_cannot_be_run_says_so():
    assert traced(network(), [(X, Y)]) == "run again, the batch is finite everywhere"
    text = traced(network(), [(X[:, :2], Y)])
    assert text.startswith("the batch could not be run again (")
