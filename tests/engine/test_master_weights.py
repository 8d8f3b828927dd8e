"""Float32 copies of weights in bfloat16 and float16."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.verify.problems import gradients, trajectory, values, weights

MASTER = "master_weight"


def variable(dtype="bfloat16", start=1.0, shape=(8,)):
    return keras.Variable(np.full(shape, start), dtype=dtype)


def push(optimizer, w, steps=1, g=1.0):
    for _ in range(steps):
        optimizer.apply([g * ops.ones(w.shape, w.dtype)], [w])


def model(**kwargs):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)]
    net = keras.Sequential(layers)
    for layer in net.layers:
        assert layer.dtype_policy.name == keras.config.dtype_policy().name
    net.compile(optimizers.Adam(1e-4, master_weights=True, **kwargs), "mse")
    return net


@pytest.fixture
def bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(64, 4)), rng.normal(size=(64, 1))


@pytest.mark.parametrize(
    "dtype", ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)]
)
def test_small_steps_add_up(dtype):
    plain, kept = variable(dtype), variable(dtype)
    push(optimizers.SGD(1e-4), plain, 40)
    push(optimizers.SGD(1e-4, master_weights=True), kept, 40)
    np.testing.assert_array_equal(values([plain])[0], 1.0)
    np.testing.assert_allclose(values([kept])[0], 0.996, atol=2.0**-9)


@pytest.mark.parametrize("name", ["adam", "muon", "rmsprop"])
def test_the_copy_is_what_float32_would_be(name):
    shapes = {"matrix": (6, 5), "vector": (4,), "other": (3,), "one": (2,)}
    gs = [[x.astype("float16").astype("f8") for x in g] for g in gradients(shapes, 20)]
    start = [np.asarray(x, "float16").astype("f8") for x in weights(shapes)]
    expected = trajectory(optimizers.create(name), start, gs)
    optimizer = optimizers.create(name, master_weights=True)
    trajectory(optimizer, start, gs, "float16")
    for p, x in zip(optimizer.plan.parameters, expected, strict=True):
        got, short = values([p.slots[MASTER], p.variable])
        np.testing.assert_allclose(got, x, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(short, got, rtol=2.0**-11, atol=2.0**-25)


def test_a_weight_written_from_elsewhere_counts():
    w = variable(shape=(2,))
    sgd = optimizers.SGD(1e-3, master_weights=True)
    push(sgd, w)
    w.assign(np.array([values([w])[0][0], 3.0]))
    push(sgd, w)
    (master,) = values([sgd.plan.parameters[0].slots[MASTER]])
    np.testing.assert_allclose(master, [0.998, 2.999], rtol=1e-6)


def test_a_constraint_is_honoured():
    w = variable()
    w.constraint = keras.constraints.NonNeg()
    sgd = optimizers.SGD(0.6, master_weights=True)
    push(sgd, w, 3)
    push(sgd, w, 1, g=-1.0)
    np.testing.assert_allclose(values([w])[0], 0.6, rtol=2.0**-8)


def test_it_is_saved_and_resumed(tmp_path, bfloat16, data):
    net = model()
    net.fit(*data, verbose=0, shuffle=False)
    net.save(tmp_path / "m.keras")
    other = keras.saving.load_model(tmp_path / "m.keras")
    assert other.optimizer.master_weights
    for m in (net, other):
        m.fit(*data, epochs=2, verbose=0, shuffle=False)
    for p, q in zip(
        net.optimizer.plan.parameters, other.optimizer.plan.parameters, strict=True
    ):
        x, y = values([p.slots[MASTER], q.slots[MASTER]])
        np.testing.assert_array_equal(x, y)


def test_weights_set_after_build_are_copied(bfloat16, data):
    net = model()
    net.optimizer.build(net.trainable_variables)
    net.set_weights([np.full(w.shape, 0.5) for w in net.weights])
    net.fit(*data, verbose=0)
    for p in net.optimizer.plan.parameters:
        np.testing.assert_allclose(*values([p.slots[MASTER], p.variable]), rtol=2.0**-8)
        np.testing.assert_allclose(values([p.variable])[0], 0.5, atol=0.01)


def test_a_wrapper_has_one_copy():
    w = variable()
    ema = optimizers.EMA(optimizers.SGD(1e-4, master_weights=True))
    push(ema, w, 100)
    slots = ema.plan.parameters[0].slots
    assert set(slots) == {MASTER, "weight_average"}
    np.testing.assert_allclose(values([slots[MASTER]])[0], 0.99, rtol=1e-5)


def test_with_state_in_8_bits():
    w = variable(shape=(64, 64))
    adam = optimizers.Adam(1e-4, master_weights=True, slot_dtype="int8")
    push(adam, w, 10)
    (master,) = values([adam.plan.parameters[0].slots[MASTER]])
    np.testing.assert_allclose(master, 0.999, rtol=1e-5)


def test_float32_weights_have_no_copy():
    sgd = optimizers.SGD(master_weights=True)
    with pytest.warns(UserWarning, match="master_weights=True has no effect"):
        sgd.build([variable("float32")])
    assert MASTER not in sgd.plan.parameters[0].slots
