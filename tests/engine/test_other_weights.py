"""An optimizer that gets other weights than those it was built with."""

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.verify.problems import values
from tests.support.versions import KERAS

pytestmark = pytest.mark.sampled

BACKEND = keras.backend.backend()
SGD = optimizers.SGD
X, Y = np.ones((8, 4), "float32"), np.ones((8, 2), "float32")
KINDS = {
    "plain": lambda: optimizers.Adam(),
    "averaged": lambda: optimizers.Adam(use_ema=True),
    "accumulated": lambda: optimizers.Adam(gradient_accumulation_steps=2),
    "wrapped": lambda: optimizers.Lookahead(optimizers.Adam()),
    "second pass": lambda: optimizers.SAM(SGD(0.1)),
    "curvature": lambda: optimizers.Sophia(),
    "two sets": lambda: optimizers.ScheduleFreeSGD(0.1),
    "both": lambda: optimizers.EMA(optimizers.SAM(SGD(0.1))),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(optimizers.SAM(SGD(0.1))),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_size = pytest.mark.parametrize(
    "units", [3, 5], ids=["of equal shapes", "of others"]
)


def new_model(units=3):
    layers = keras.layers.Dense(units), keras.layers.Dense(2)
    return keras.Sequential([keras.Input((4,)), *layers])


def fitted(model, optimizer):
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)
    return model


refuses = pytest.mark.skipif(KERAS < (3, 13), reason="Keras' own message fails")


@refuses
@each_kind
@each_size
def test_a_second_model_is_refused(kind, units):
    optimizer = KINDS[kind]()
    first = fitted(new_model(), optimizer)
    before, second = values(first.weights), new_model(units)
    if BACKEND == "jax" and units == 3 and kind not in ("two sets", "both"):
        fitted(second, optimizer)  # as in Keras: JAX matches weights by position
        return
    with pytest.raises(ValueError, match=r"(?s)Unknown variable.*recreate"):
        fitted(second, optimizer)
    for a, b in zip(before, values(first.weights), strict=True):
        np.testing.assert_array_equal(a, b)


@refuses
@each_kind
def test_unfrozen_layers_are_refused(kind):
    optimizer, model = KINDS[kind](), new_model()
    model.layers[0].trainable = False
    fitted(model, optimizer)
    model.layers[0].trainable = True
    with pytest.raises(ValueError, match=r"(?s)Unknown variable.*recreate"):
        fitted(model, optimizer)


@pytest.mark.skipif(BACKEND == "jax", reason="JAX hands in all weights or none")
@pytest.mark.parametrize(
    "kind", sorted(set(KINDS) - {"averaged"})
)  # nor can `use_ema` in Keras
@pytest.mark.slow
def test_frozen_layers_stay(kind):
    optimizer, model = KINDS[kind](), fitted(new_model(), KINDS[kind]())
    fitted(model, optimizer)
    model.layers[0].trainable = False
    before = values(model.layers[0].weights)
    fitted(model, optimizer)
    for a, b in zip(before, values(model.layers[0].weights), strict=True):
        np.testing.assert_array_equal(a, b)
