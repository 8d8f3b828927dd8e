"""Models without an `Input`, whose weights are created in the first call."""

import keras
import numpy as np
import pytest

from keras_optlab import Group, optimizers
from keras_optlab.verify.problems import values
from tests.support.problems import REPRESENTATIVES, TAMED, mirrored_strategy, state

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
Y = X[:, :3]

STARTING = [  # optimizers with slots that start at the weight
    *[
        name
        for name in sorted(REPRESENTATIVES)
        if any(slot.init == "weight" for slot in optimizers.info(name).cls.slots)
    ],
    *optimizers.wrappers(),
]
HOW = {
    "graph": {},
    "jit": {"jit_compile": BACKEND != "torch"},
    "eager": {"run_eagerly": True},
}


def make(name, **options):
    """Return an optimizer; a wrapper is one around SGD."""
    if name in optimizers.wrappers():
        inner = optimizers.SGD(0.1, **options)
        return optimizers.create(name, optimizer=inner)
    return optimizers.create(name, **TAMED.get(name, {}) | options)


def layers():
    keras.utils.set_random_seed(3)
    return [keras.layers.Dense(n, activation="tanh", name=f"dense{n}") for n in (4, 3)]


class Subclassed(keras.Model):
    """A model whose layers are built in its first call."""

    def __init__(self):
        super().__init__()
        self.parts = layers()

    def call(self, x):
        for layer in self.parts:
            x = layer(x)
        return x


def trained(model, optimizer, **how):
    """Return a model after two calls of `fit`, with two steps and with one."""
    model.compile(optimizer, "mse", **how)
    model.fit(X, Y, batch_size=4, verbose=0, shuffle=False)
    model.fit(X, Y, batch_size=8, verbose=0, shuffle=False)
    assert values([optimizer.micro_steps]) == [3]
    return model


def assert_trained_alike(a, b):
    for x, y in zip(
        values(a.weights) + state(a.optimizer),
        values(b.weights) + state(b.optimizer),
        strict=True,
    ):
        np.testing.assert_allclose(x, y, rtol=2e-4, atol=2e-5)


on_tensorflow = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="elsewhere the weights are made before"
)
others = [pytest.param(name, marks=pytest.mark.every) for name in optimizers.wrappers()]


@pytest.mark.every
@pytest.mark.long
@on_tensorflow
@pytest.mark.parametrize("name", [*optimizers.names(), *others])
def test_it_trains_as_one_with_an_input(name):
    built = keras.Sequential([keras.Input((5,)), *layers()])
    trained(built, make(name))
    assert_trained_alike(trained(keras.Sequential(layers()), make(name)), built)


@on_tensorflow
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("dog", "graph"),
        ("lookahead", "graph"),
        ("sam", "graph"),
        *[
            pytest.param(name, how, marks=pytest.mark.every)
            for name in STARTING
            for how in HOW
        ],
    ],
)
@pytest.mark.slow
def test_a_subclassed_model_trains_however_it_is_compiled(name, how):
    built = keras.Sequential([keras.Input((5,)), *layers()])
    trained(built, make(name))
    assert_trained_alike(trained(Subclassed(), make(name), **HOW[how]), built)


@pytest.mark.every
@on_tensorflow
@pytest.mark.parametrize(
    "options",
    [
        {"use_ema": True},
        {"gradient_accumulation_steps": 2},
        {"groups": [Group("dense3", learning_rate=0.5)]},
    ],
    ids=lambda o: next(iter(o)),
)
@pytest.mark.parametrize("name", ["prodigy", "lookahead", "sam", "schedulefree"])
def test_it_trains_with_what_needs_the_weights(name, options):
    built = keras.Sequential([keras.Input((5,)), *layers()])
    trained(built, make(name, **options))
    model = trained(keras.Sequential(layers()), make(name, **options))
    assert_trained_alike(model, built)


@on_tensorflow
@pytest.mark.parametrize("name", ["prodigy", "lookahead", "schedulefreesgd"])
def test_a_function_of_the_users_own_may_make_the_weights(name):
    import tensorflow as tf

    model, optimizer = keras.Sequential(layers()), make(name)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(X) - Y) ** 2)
        ws = model.trainable_variables
        optimizer.apply(tape.gradient(loss, ws), ws)

    step()
    built = keras.Sequential([keras.Input((5,)), *layers()])
    starts = values(built.trainable_variables)
    for p, start in zip(optimizer.plan.parameters, starts, strict=True):
        for slot in optimizer.slots:
            if slot.init == "weight" and slot.constant:
                np.testing.assert_allclose(values([p.slots[slot.name]])[0], start)


@pytest.mark.every
@on_tensorflow
@pytest.mark.parametrize("name", ["prodigy", "lookahead"])
def test_it_trains_under_a_strategy(name):
    with mirrored_strategy().scope():
        trained(keras.Sequential(layers()), make(name))


def test_a_failure_to_build_is_said_again():
    """A failed build leaves the optimizer unbuilt, so the same error comes again."""
    optimizer = optimizers.ScheduleFreeSGD(groups=[Group("nowhere", learning_rate=2.0)])
    model = keras.Sequential([keras.Input((5,)), *layers()])
    model.compile(optimizer, "mse")
    for _ in range(2):
        with pytest.raises(ValueError, match="matches no trainable weight"):
            model.fit(X, Y, verbose=0)
