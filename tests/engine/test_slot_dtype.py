"""Slots in bfloat16: half the memory, and moving averages that still move."""

import math

import keras
import ml_dtypes
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.engine.backend.rounding import round_to_bfloat16
from keras_optlab.verify.problems import (
    distance,
    gradients,
    trajectory,
    values,
    variables,
    weights,
)
from tests.support.problems import ALL, fit, label, mlp, regression, state

ULP = 2.0**-7  # spacing of bfloat16 in [1, 2)


def rounded(x, salt):
    short = round_to_bfloat16(
        ops.convert_to_tensor(x, "float32"), ops.convert_to_tensor(salt, "int32")
    )
    assert keras.backend.standardize_dtype(short.dtype) == "bfloat16"
    return np.asarray(ops.convert_to_numpy(ops.cast(short, "float32")), "float64")


class TestRounding:
    def test_to_a_neighbour_and_right_on_average(self):
        x = np.linspace(1, 1 + ULP, 9)[1:-1]
        many = np.stack([rounded(np.tile(x, 500), salt) for salt in range(8)])
        assert set(many.ravel()) == {1.0, 1 + ULP}
        mean = many.reshape(-1, len(x)).mean(axis=0)
        np.testing.assert_allclose(mean, x, rtol=0, atol=4 * ULP * 0.5 / 4000**0.5)

    def test_what_the_type_can_store_stays(self):
        x = np.array([0.0, 1.0, -1.5, np.inf, -np.inf, np.nan, 2.0**100])
        np.testing.assert_array_equal(rounded(x, 3), x)

    def test_the_salt_decides(self):
        x = np.full((1000,), 1 + ULP / 2)
        np.testing.assert_array_equal(rounded(x, 1), rounded(x, 1))
        assert 400 < np.sum(rounded(x, 1) != rounded(x, 2)) < 600


@pytest.mark.every
def test_a_slow_mean_moves():
    """Rounding to nearest stops 0.99 v + 0.01 early; stochastic rounding does not."""

    def nearest(x):
        return float(np.asarray(x, ml_dtypes.bfloat16))

    stuck = 0.0
    for _ in range(400):
        stuck = nearest(0.99 * stuck + 0.01)
    assert stuck < 0.85
    (w,) = ws = variables([np.zeros(512)])
    adam = optimizers.Adam(1e-6, beta_2=0.99, slot_dtype="bfloat16")
    for _ in range(400):
        adam.apply([ops.ones_like(w.value)], ws)
    (v,) = values([adam.plan.parameters[0].slots["v"]])
    np.testing.assert_allclose(v.mean(), 1 - 0.99**400, rtol=0.01)


@pytest.mark.sampled
@pytest.mark.long
@pytest.mark.parametrize("case", ALL, ids=label)
@pytest.mark.slow
def test_every_rule_stays_close(case):
    name, kwargs = case

    def end(slot_dtype):
        optimizer = optimizers.create(name, slot_dtype=slot_dtype, **kwargs)
        return trajectory(optimizer, weights(), gradients(steps=60))

    assert distance(end("bfloat16"), end(None), weights()) < 0.1


@pytest.mark.sampled
@pytest.mark.parametrize("case", ALL, ids=label)
def test_moments_are_short(case):
    name, kwargs = case
    optimizer = optimizers.create(name, slot_dtype="bfloat16", **kwargs)
    optimizer.build(variables([np.zeros((4, 6))]))
    (p,) = optimizer.plan.parameters
    copies = {slot.name for slot in optimizer.slots if slot.init == "weight"}
    for slot, variable in p.slots.items():
        if slot not in copies and math.prod(variable.shape) == 4 * 6:
            assert keras.backend.standardize_dtype(variable.dtype) == "bfloat16", slot


@pytest.mark.slow
def test_a_second_run_ends_at_the_same_weights():
    def end():
        adam = optimizers.Adam(slot_dtype="bfloat16")
        return trajectory(adam, weights(), gradients(steps=10))

    for x, y in zip(end(), end(), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
@pytest.mark.slow
def test_with_weights_of_other_types(dtype):
    shapes = {"vector": (4,), "wide": (3, 5)}

    def end(slot_dtype):
        adam = optimizers.Adam(0.01, slot_dtype=slot_dtype)
        return trajectory(adam, weights(shapes), gradients(shapes, 60), dtype)

    assert distance(end("bfloat16"), end(None), weights(shapes)) < 0.1


def test_the_state_takes_half_the_memory():
    ws = variables(weights())
    entries = sum(np.size(x) for x in weights())

    def held(slot_dtype):
        adam = optimizers.Adam(slot_dtype=slot_dtype)
        adam.build(ws)
        slots = [v for p in adam.plan.parameters for v in p.slots.values()]
        sizes = {"float32": 4, "bfloat16": 2}
        return sum(np.prod(v.shape) * sizes[v.dtype] for v in slots)

    assert held(None) == 2 * 4 * entries
    assert held("bfloat16") == 2 * 2 * entries


class TestSaving:
    @pytest.mark.slow
    def test_resuming_goes_on_as_if_nothing_had_happened(self, tmp_path):
        x, y = regression()
        more = {"batch_size": 32, "epochs": 2, "verbose": 0, "shuffle": False}
        model = fit(optimizers.Adam(0.01, slot_dtype="bfloat16"))
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras")
        assert other.optimizer.slot_dtype == "bfloat16"
        for m in (model, other):
            m.fit(x, y, **more)
        ends = [values(m.weights) + state(m.optimizer) for m in (model, other)]
        for a, b in zip(*ends, strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("types", [(None, "bfloat16"), ("bfloat16", None)])
    @pytest.mark.slow
    def test_state_of_the_other_type_loads(self, types, tmp_path):
        before, after = types
        model = fit(optimizers.Adam(0.01, slot_dtype=before))
        model.save_weights(tmp_path / "m.weights.h5")
        other = mlp()
        other.compile(optimizers.Adam(0.01, slot_dtype=after), "mse")
        other.optimizer.build(other.trainable_variables)
        other.load_weights(tmp_path / "m.weights.h5")
        for a, b in zip(state(model.optimizer), state(other.optimizer), strict=True):
            np.testing.assert_allclose(a, b, rtol=2.0**-8)


@pytest.mark.parametrize("slot_dtype", ["bfloat16", "int8"])
def test_the_state_of_a_scalar_is_saved(slot_dtype, tmp_path):
    def model():
        keras.utils.set_random_seed(0)
        inputs = keras.Input((3,))
        return keras.Model(inputs, Factor()(keras.layers.Dense(1)(inputs)))

    x = np.ones((8, 3))
    one, other = model(), model()
    for m in one, other:
        m.compile(optimizers.Adam(0.1, slot_dtype=slot_dtype), "mse")
    one.fit(x, x[:, :1], verbose=0)
    one.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    for m in one, other:
        m.fit(x, x[:, :1], verbose=0)
    for a, b in zip(values(one.weights), values(other.weights), strict=True):
        np.testing.assert_array_equal(a, b)


class Factor(keras.layers.Layer):
    """A layer with one number."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

    def call(self, x):
        return self.factor * x


def test_other_types_are_refused():
    with pytest.raises(ValueError, match="Received: slot_dtype='float16'"):
        optimizers.Adam(slot_dtype="float16")
