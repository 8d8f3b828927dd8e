"""Every optimizer on functions whose minimum is known.

Other tests show that a rule is the same on every backend. So one backend is enough:
torch, which compiles nothing here.
"""

from functools import partial

import keras
import numpy as np
import pytest

from keras_optlab import datasets, optimizers, schedules
from keras_optlab.verify.problems import apply, values, variables
from tests.support.functions import logistic, quadratic, rosenbrock
from tests.support.problems import RESTS_AT_ZERO

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="one backend is enough"
)

RATES = 0.1, 1.0, 0.01, 10.0, 0.001, 100.0  # one of them must work

# Settings that a rule needs on a problem.
SETTINGS = {
    # the gradients are 1000 times too large for the default
    ("hypergradientsgd", "rosenbrock"): {"hypergradient_learning_rate": 1e-9},
    # With the default 0.9 it diverges here, as does the author's code: without noise,
    # Polyak's step is as long as the gradient allows, and too long for the mean m.
    ("schedulefreeplus", "quadratic"): {"beta_1": 0.5},
    # the first step zeroes weights whose squared gradient is small compared with this
    ("ftrl", "digits"): {"initial_accumulator_value": 1e-6},
}

# The function, the number of steps, and the share of the initial loss that may remain.
PROBLEMS = {
    "quadratic": (quadratic(), 200, 0.05),
    "rosenbrock": (rosenbrock(), 400, 0.15),
    "logistic": (logistic(), 400, 0.1),
}

# LARS: its step size is relative to the norm of the weights, not of the gradient.
NEAR = {("lars", "logistic"): 0.4}


def descended(optimizer, function, steps):
    """Return the evaluation weights after some steps, or NaN if they diverge."""
    ws = variables([function.start])
    for step in range(steps):
        g = function.gradient(values(ws)[0], step)
        if not np.isfinite(g).all():
            return np.nan * function.start
        apply(optimizer, [g], ws, function.loss(values(ws)[0]) - function.least)
    if optimizer.has_evaluation_weights:
        with optimizer.evaluation_weights():
            return values(ws)[0]
    return values(ws)[0]


def rates(name, steps):
    """Yield the rates to try; 1, constant and decaying, if the rule finds its own."""
    cls = optimizers.info(name).cls
    if cls.learning_rate_free:
        yield from (1.0, schedules.Cosine(1.0, steps))
    elif name in RESTS_AT_ZERO:  # the weights would shrink with the rate
        yield from RATES
    else:
        yield from (schedules.Cosine(rate, steps) for rate in RATES)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", optimizers.names())
def test_comes_near_the_minimum_at_some_rate(name, problem):
    function, steps, close = PROBLEMS[problem]
    close = NEAR.get((name, problem), close)
    settings, left = SETTINGS.get((name, problem), {}), []
    for rate in rates(name, steps):
        optimizer = optimizers.create(name, learning_rate=rate, **settings)
        left.append(function.left(descended(optimizer, function, steps)))
        if left[-1] < close:
            return
    pytest.fail(f"left at each rate: {left}")


def cnn():
    """Return a small network for digits, always with the same weights."""
    keras.utils.set_random_seed(0)
    convolution = partial(keras.layers.Conv2D, activation="relu")
    layers = [convolution(8, 5, 3), convolution(16, 3, 2), keras.layers.Flatten()]
    return keras.Sequential([keras.Input((28, 28, 1)), *layers, keras.layers.Dense(10)])


@pytest.mark.long
@pytest.mark.parametrize("name", optimizers.names())
def test_learns_digits_by_heart_at_some_rate(name):
    """With more weights than images, a network can reach a loss of 0."""
    (x, y), _ = datasets.mnist()
    x, y, left = x[:256, ..., None] / 255.0, y[:256], []
    settings = SETTINGS.get((name, "digits"), {})
    for rate in rates(name, steps=240):
        model = cnn()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizers.create(name, learning_rate=rate, **settings), loss)
        start = model.evaluate(x, y, verbose=0)
        model.fit(x, y, batch_size=64, epochs=60, verbose=0)
        left.append(model.evaluate(x, y, verbose=0) / start)
        if left[-1] < 0.1:
            return
    pytest.fail(f"left at each rate: {left}")


FREE = [n for n in optimizers.names() if optimizers.info(n).cls.learning_rate_free]


@pytest.fixture(scope="module")
def tuned_adam():
    """Return the loss of Adam at the best of the rates."""
    function = logistic()
    ends = (
        descended(optimizers.Adam(schedules.Cosine(rate, 600)), function, 600)
        for rate in RATES
    )
    return min(function.loss(w) for w in ends)


@pytest.mark.parametrize("name", FREE)
def test_finds_what_adam_has_to_be_tuned_for(name, tuned_adam):
    """The rate is 1, constant or with cosine decay; some rules need the decay."""
    function = logistic()
    ends = [
        descended(optimizers.create(name, learning_rate=rate), function, 600)
        for rate in rates(name, 600)
    ]
    assert min(function.loss(w) for w in ends) < 1.5 * tuned_adam
    assert min(function.left(w) for w in ends) < 0.1


def test_mechanic_finds_what_adam_has_to_be_tuned_for(tuned_adam):
    function = logistic()
    end = descended(optimizers.Mechanic(optimizers.Adam(1.0)), function, 600)
    assert function.loss(end) < 1.5 * tuned_adam
    assert function.left(end) < 0.1
