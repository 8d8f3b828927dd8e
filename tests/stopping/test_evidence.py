"""`Evidence`: equal to per-example gradients in NumPy, and without side effects."""

import json
import pickle

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.stopping import Evidence
from tests.support.problems import compiled_model

pytestmark = pytest.mark.sampled

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype("float32")
TRUE = RNG.normal(size=(4, 2))
Y = (X @ TRUE + RNG.normal(size=(96, 2))).astype("float32")


def linear(weights=TRUE + 0.05, l2=0.0):
    """Return a linear model of two outputs."""
    penalty = keras.regularizers.L2(l2) if l2 else None
    dense = keras.layers.Dense(2, kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input((4,)), dense])
    model.compile("sgd", "mse")
    model.set_weights([weights, np.full(2, 0.1)])
    return model


def by_example(model, chosen, l2=0.0):
    """Return the gradient of each example, of ((r_1² + r_2²) / 2 + l2 |W|²)."""
    kernel, bias = (w.astype("float64") for w in model.get_weights())
    x, y = X[chosen].astype("float64"), Y[chosen].astype("float64")
    r = x @ kernel + bias - y
    of_kernel = x[:, :, None] * r[:, None, :] + 2 * l2 * kernel
    return np.concatenate([of_kernel.reshape(len(x), -1), r], axis=1)


def drawn(count, examples):
    """Return the examples that the measurement after `count` others draws."""
    return np.random.default_rng([2017, count]).permutation(len(X))[:examples]


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_single_examples_give_the_formula_of_the_paper(l2):
    model = linear(l2=l2)
    evidence = Evidence(X, Y, examples=64, micro_batch=1)
    for count in 0, 1:
        g = by_example(model, drawn(count, 64), l2)
        paper = 1 - 64 * np.mean(g.mean(0) ** 2 / g.var(0, ddof=1))
        measured = evidence.measure(model)
        assert measured == pytest.approx(paper, rel=1e-4, abs=1e-4)
        evidence.update(measured)


@pytest.mark.parametrize(
    ("examples", "m", "n"), [(64, 8, 8), (96, 4, 24), (512, 8, 12)]
)
def test_micro_batches_give_the_variance_of_their_means(examples, m, n):
    model = linear(l2=0.1)
    g = by_example(model, drawn(0, n * m), 0.1)
    means = g.reshape(n, m, -1).mean(1)
    variance = m * means.var(0, ddof=1)  # of one example
    unbiased = (n - 3) / (n - 1) * (n * m - 1) / (n * m - 3)
    expected = 1 - unbiased * n * m * np.mean(g.mean(0) ** 2 / variance)
    measured = Evidence(X, Y, examples=examples, micro_batch=m).measure(model)
    assert measured == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.every
def test_micro_batches_measure_what_single_examples_do():
    """Of pure noise the criterion is 0 on average, for every size of micro-batches."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4096, 50))
    model = keras.Sequential(
        [keras.Input((50,)), keras.layers.Dense(1, use_bias=False)]
    )
    model.compile("sgd", "mse")
    model.set_weights([np.zeros((50, 1))])
    y = rng.normal(size=(4096, 1))  # at its best weights, which are 0
    for m in 1, 8:
        evidence, measured = Evidence(x, y, examples=128, micro_batch=m), []
        for _ in range(20):
            measured.append(evidence.measure(model))
            evidence.update(measured[-1])
        assert np.mean(measured) == pytest.approx(0, abs=0.2)
        assert np.std(measured) > 0.05


def test_the_gradient_at_a_minimum_of_the_sample_stops():
    examples = {"examples": 96, "micro_batch": 1}
    best, *_ = np.linalg.lstsq(np.c_[X, np.ones(96)], Y, rcond=None)
    model = linear(TRUE + 0.5)
    evidence = Evidence(X, Y, **examples)
    assert evidence.update(evidence.measure(model)) is None
    model.set_weights([best[:4], best[4]])
    why = evidence.update(evidence.measure(model))
    assert why == "the gradient is noise: the evidence criterion is 1 > 0"
    assert evidence.figure == pytest.approx(1)


@pytest.mark.every
def test_weights_that_no_example_reaches_do_not_count():
    x = np.concatenate([X, np.zeros((96, 3))], axis=1)
    model = keras.Sequential(
        [keras.Input((7,)), keras.layers.Dense(2, kernel_regularizer="l2")]
    )
    model.compile("sgd", "mse")
    model.set_weights([np.concatenate([TRUE + 0.05, np.ones((3, 2))]), np.full(2, 0.1)])
    wide = Evidence(x, Y, examples=64).measure(model)
    assert wide == pytest.approx(
        Evidence(X, Y, examples=64).measure(linear(l2=0.01)), rel=1e-4
    )
    same = Evidence(np.ones((64, 4)), np.ones((64, 2)), examples=64)
    measured = same.measure(linear())  # all gradients are equal
    assert np.isnan(measured)
    assert same.update(measured) is None


def with_everything():
    """Return a model with statistics, seeds, metrics and data of its own kind."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            keras.layers.Embedding(9, 3),
            keras.layers.LSTM(3),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizers.Adam(), loss, metrics=["accuracy"])
    return model, RNG.integers(0, 9, (40, 6)), RNG.integers(0, 3, 40)


def with_two_inputs_and_outputs():
    inputs = {k: keras.Input((2,), name=k) for k in "ab"}
    outputs = {k: keras.layers.Dense(1, name=f"out_{k}")(x) for k, x in inputs.items()}
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"a": "mse", "b": "mae"}, metrics={"a": ["mae"]})
    data = [{k: RNG.normal(size=(40, n)) for k in "ab"} for n in (2, 1)]
    return model, *data


def averaged():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    compiled_model(model, optimizers.ScheduleFreeAdamW(0.01))
    return model, X, Y


@pytest.mark.parametrize(
    "make", [averaged, with_everything, with_two_inputs_and_outputs]
)
def test_measuring_changes_nothing(make):
    model, x, y = make()
    model.fit(x, y, verbose=0)

    def state():
        return [
            np.array(ops.convert_to_numpy(v))
            for v in model.variables
            + model.metrics_variables
            + model.optimizer.variables
        ]

    before = state()
    evidence = Evidence(x, y, examples=32)
    evidence.prepare(model)
    first = evidence.measure(model)
    assert np.isfinite(first)
    assert evidence.measure(model) == first
    for a, b in zip(before, state(), strict=True):
        np.testing.assert_array_equal(a, b)
    evidence.update(first)
    assert evidence.measure(model) != first  # other examples


@pytest.mark.every
def test_half_precision_does_not_underflow():
    model = linear(TRUE * 1e-3)
    model.set_weights([TRUE * 1e-3, np.zeros(2)])
    scaled = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, dtype="mixed_float16")]
    )
    scaled.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), "mse")
    scaled.set_weights(model.get_weights())
    x, y = X * 1e-3, Y * 1e-3  # the products are below the smallest float16
    expected = Evidence(x, y, examples=64).measure(model)
    assert Evidence(x, y, examples=64).measure(scaled) == pytest.approx(
        expected, rel=0.1
    )


def test_another_model_or_loss_is_measured_anew():
    model = linear()
    evidence = Evidence(X, Y, examples=64)
    first = evidence.measure(model)
    model.compile("sgd", "mae")
    assert evidence.measure(model) != first
    assert evidence.measure(linear()) == pytest.approx(first)


def test_it_is_saved_without_its_data():
    evidence = Evidence(X, Y, examples=64, every=7)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(evidence)))
    again = keras.saving.deserialize_keras_object(config)
    assert (again.examples, again.every) == (64, 7)
    assert again.get_config() == evidence.get_config()
    with pytest.raises(ValueError, match=r"Received: x=None.*`set_data\(x, y\)`"):
        again.prepare(linear())
    again.set_data(X, Y)
    model = linear()
    before = evidence.measure(model)
    assert again.measure(model) == before
    evidence.update(before)
    again.set_state(json.loads(json.dumps(evidence.get_state())))
    assert again.measure(model) == evidence.measure(model) != before
    assert pickle.loads(pickle.dumps(evidence))._noise is None
    assert repr(evidence) == "Evidence(x, y, examples=64, micro_batch=8, every=7)"


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"examples": 60}, ValueError, "Received: examples=60, micro_batch=8"),
        ({"examples": 24}, ValueError, "Received: examples=24, micro_batch=8"),
        ({"micro_batch": 0}, ValueError, "Received: micro_batch=0"),
        ({"every": 0}, ValueError, "Received: every=0"),
        ({"x": X[:20], "y": Y[:20]}, ValueError, "Received: 20 examples with"),
        ({"y": Y[:20]}, ValueError, "Received: numbers of examples"),
        ({"x": np.array(["a"] * 96)}, TypeError, "Received: x: ndarray of dtype <U1"),
        ({"x": iter([X])}, TypeError, "Received: x: "),
        ({"y": None}, TypeError, "Received: y: NoneType"),
        ({"y": 3.0}, TypeError, "Received: y: float"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, told):
    with pytest.raises(error, match=told):
        Evidence(**({"x": X, "y": Y} | arguments))


def test_data_that_do_not_fit_the_model_are_refused():
    for x, y in (X[:, :3], Y), (X, np.zeros((96, 5))):
        with pytest.raises(ValueError, match=r"must fit the model.*Received: .*\(8, "):
            Evidence(x, y, examples=64).prepare(linear())


def test_a_model_without_a_loss_is_refused():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd")
    with pytest.raises(ValueError, match="compiled without `loss`"):
        Evidence(X, Y, examples=64).prepare(model)
