"""Every optimizer on functions whose minimum is known.

A rule is the same on every backend, which other tests show, so one backend is enough:
torch, where nothing has to be compiled.
"""

from functools import partial

import keras
import numpy as np
import pytest

from keras_optlab import datasets, optimizers, schedules
from keras_optlab.verify.problems import apply, values, variables
from tests.support.functions import logistic, quadratic, rosenbrock

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="one backend is enough"
)

RATES = 0.1, 1.0, 0.01, 10.0, 0.001, 100.0  # of which one has to do

# Settings without which a rule does not suit a problem.
SETTINGS = {
    # its gradients are a thousand times those it is made for
    ("hypergradientsgd", "rosenbrock"): {"hypergradient_learning_rate": 1e-9},
    # its first step takes weights to zero whose gradients are small beside this
    ("ftrl", "digits"): {"initial_accumulator_value": 1e-6},
}

# A function, the number of steps, and what may be left of the loss at the start.
PROBLEMS = {
    "quadratic": (quadratic(), 200, 0.05),
    "rosenbrock": (rosenbrock(), 400, 0.15),
    "logistic": (logistic(), 400, 0.1),
}

# Its steps have the length of the weights, however small the gradient is.
NEAR = {("lars", "logistic"): 0.4}


def descended(optimizer, function, steps):
    """Return the matrix to evaluate after some steps, or NaN where they diverge."""
    ws = variables([function.start])
    for step in range(steps):
        g = function.gradient(values(ws)[0], step)
        if not np.isfinite(g).all():
            return np.nan * function.start
        apply(optimizer, [g], ws)
    if optimizer.has_evaluation_weights:
        with optimizer.evaluation_weights():
            return values(ws)[0]
    return values(ws)[0]


def rates(name, steps):
    """Yield what to try: rates that fall, and what needs no tuning."""
    cls = optimizers.info(name).cls
    if cls.finds_rate:
        yield from (1.0, schedules.Cosine(1.0, steps))
    elif cls.rests_at_zero:  # the weights would fall with the rate
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
    """The least loss of a network with more weights than images is 0."""
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


FREE = [n for n in optimizers.names() if optimizers.info(n).cls.finds_rate]


@pytest.fixture(scope="module")
def tuned_adam():
    """The loss that Adam reaches at the best of some rates."""
    function = logistic()
    ends = (
        descended(optimizers.Adam(schedules.Cosine(rate, 600)), function, 600)
        for rate in RATES
    )
    return min(function.loss(w) for w in ends)


@pytest.mark.parametrize("name", FREE)
def test_finds_what_adam_has_to_be_tuned_for(name, tuned_adam):
    """At a constant rate of 1, or at one that falls from 1; some need the latter."""
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
