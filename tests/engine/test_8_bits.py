"""State in 8 bits: codes, scales, saving, and agreement with float32 and torchao."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import optimizers
from keras_optlab.core.registry import find
from keras_optlab.engine.weights.dynamic_map import SIGNED, UNSIGNED
from keras_optlab.engine.weights.quantized import BLOCK, Quantized
from keras_optlab.verify.problems import (
    distance,
    gradients,
    trajectory,
    values,
    variables,
    weights,
)
from tests.support.problems import ALL, label

WIDE = {"matrix": (70, 60)}  # 4200 entries: the last of 17 blocks is not full
SMALL = {"vector": (7,)}


def draw(size, power=6):
    rng = np.random.default_rng(0)
    return (rng.uniform(size=size) ** power * rng.choice([-1, 1], size)).astype("f4")


def nearest(x, table):
    return np.searchsorted((table[1:] + table[:-1]) / 2, x)


def slots_of(optimizer, i=0):
    return optimizer.plan.parameters[i].slots


@pytest.mark.parametrize("table", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
class TestDynamicMap:
    def test_values_are_those_of_the_paper(self, table):
        decades = [1e-6 * 10**i * np.array([0.1, 1.0]) for i in range(7)]
        count = [
            int(np.sum((table.values > low) & (table.values < high)))
            for low, high in decades
        ]
        assert count == [2**i if table.signed else 2 ** (i + 1) for i in range(7)]
        assert len(set(table.values)) == 256
        assert table.values[table.zero] == 0
        assert table.values[-1] == 1

    def test_a_code_is_the_nearest(self, table):
        x = draw(20_000) if table.signed else np.abs(draw(20_000))
        x = x[np.abs(x) > 1e-6]
        codes = ops.convert_to_numpy(table.encode(ops.convert_to_tensor(x)))
        np.testing.assert_array_equal(codes, nearest(x, table.values))

    def test_values_keep_their_code(self, table):
        codes = ops.convert_to_tensor(np.arange(256, dtype="uint8"))
        again = ops.convert_to_numpy(table.encode(table.decode(codes)))
        np.testing.assert_array_equal(again, np.arange(256))


def test_a_positive_second_moment_is_not_rounded_to_zero():
    x = ops.convert_to_tensor(np.array([0, 1e-12, 1e-7, 1], "float32"))
    codes = ops.convert_to_numpy(UNSIGNED.encode(x))
    np.testing.assert_array_equal(codes, [0, 1, 1, 255])


class TestBlocks:
    def slot(self, shape, signed=True):
        blocks = -(-math.prod(shape) // BLOCK)
        codes = keras.Variable(
            np.zeros((blocks, BLOCK)), dtype="uint8", trainable=False
        )
        scales = keras.Variable(np.zeros(blocks), dtype="float32")
        return Quantized(codes, scales, shape, signed)

    def test_each_has_its_scale(self):
        x = draw(600).reshape(20, 30)
        x[10:] *= np.float32(1e6)
        slot = self.slot((20, 30))
        slot.assign(x)
        largest = [
            np.max(np.abs(x.reshape(-1)[i : i + BLOCK])) for i in range(0, 600, BLOCK)
        ]
        np.testing.assert_allclose(np.abs(values([slot.scales])[0]), largest)
        error = np.abs(slot.numpy() - x).reshape(-1)
        assert np.all(error <= 0.0352 * np.repeat(largest, BLOCK)[:600])
        assert np.all(np.isin(largest, np.abs(slot.numpy())))  # they are exact

    @pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30, 0.0, 1e-42])
    def test_a_second_rounding_changes_nothing(self, scale):
        slot = self.slot((700,))
        slot.assign(draw(700) * np.float32(scale))
        once = slot.numpy()
        slot.assign(once)
        np.testing.assert_array_equal(slot.numpy(), once)
        assert np.all(np.isfinite(once))


class TestChoice:
    def test_two_bytes_an_entry_for_adam(self):
        adam = optimizers.Adam(slot_dtype="int8")
        adam.build(variables([np.zeros((64, 100))]))
        size = {"uint8": 1, "float32": 4}
        held = sum(
            math.prod(v.shape) * size[v.dtype]
            for slot in slots_of(adam).values()
            for v in slot.variables
        )
        assert held / 6400 <= 2.1

    def test_small_weights_and_embeddings_stay_float32(self):
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Embedding(1000, 8),
                keras.layers.Dense(600, name="wide"),
                keras.layers.Dense(2, name="narrow"),
            ]
        )
        adam = optimizers.Adam(slot_dtype="int8")
        adam.build(model.trainable_variables)
        stored = {p.path: p.is_quantized for p in adam.plan.parameters}
        assert [path[-11:] for path, yes in stored.items() if yes] == ["wide/kernel"]

    def test_many_small_weights_stay_float32(self):
        adam = optimizers.Adam(slot_dtype="int8")
        ws = variables([np.ones((40, 40))] * 9)
        for _ in range(2):
            adam.apply([ops.ones(w.shape) for w in ws], ws)
        assert not any(p.is_quantized for p in adam.plan.parameters)

    def test_copies_of_weights_stay_float32(self):
        ema = optimizers.EMA(optimizers.Adam(slot_dtype="int8"))
        ema.build(variables(weights(WIDE)))
        kinds = {k: isinstance(v, Quantized) for k, v in slots_of(ema).items()}
        assert kinds == {"m": True, "v": True, "weight_average": False}

    @pytest.mark.parametrize("name", ["muon", "lamb", "shampoo"])
    def test_other_rules_refuse(self, name):
        with pytest.raises(ValueError, match="not elementwise"):
            optimizers.create(name, slot_dtype="int8")


@pytest.mark.sampled
@pytest.mark.long
@pytest.mark.parametrize("case", [c for c in ALL if find(c[0]).elementwise], ids=label)
def test_every_elementwise_rule_stays_close(case):
    name, kwargs = case
    try:
        optimizers.create(name, slot_dtype="int8", **kwargs)
    except ValueError:
        pytest.skip("not elementwise with these arguments")

    def end(slot_dtype):
        optimizer = optimizers.create(name, slot_dtype=slot_dtype, **kwargs)
        shapes = WIDE | SMALL
        found = trajectory(optimizer, weights(shapes), gradients(shapes, 30))
        if slot_dtype:
            below = {s.name for s in optimizer.slots if s.non_negative}
            for k, v in slots_of(optimizer).items():
                assert k not in below or np.min(values([v])[0]) >= 0
        return found

    # One flipped sign of Lion moves an entry by 0.2; without signs, 0.08 is the most
    assert distance(end("int8"), end(None), weights(WIDE | SMALL)) < 0.3


@pytest.mark.sampled
@pytest.mark.long
@pytest.mark.parametrize("case", [c for c in ALL if find(c[0]).elementwise], ids=label)
def test_declared_slots_are_never_negative(case):
    name, kwargs = case
    optimizer = optimizers.create(name, **kwargs)
    trajectory(optimizer, weights(), gradients(steps=30))
    below = {s.name for s in optimizer.slots if s.non_negative}
    for p in optimizer.plan.parameters:
        for k in below & p.slots.keys():
            assert np.min(values([p.slots[k]])[0], initial=0.0) >= 0, k


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="sparse gradients")
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_lazy_step_leaves_other_rows(wrapped):
    import tensorflow as tf

    (start,) = weights({"table": (300, 16)})

    def step(slot_dtype):
        (w,) = variables([start])
        optimizer = optimizers.Adam(0.01, sparse="lazy", slot_dtype=slot_dtype)
        if wrapped:
            optimizer = optimizers.EMA(optimizer)
        for row in (5, 7, 5):
            g = tf.IndexedSlices(tf.ones((2, 16)), tf.constant([row, row]), (300, 16))
            optimizer.apply([g], [w])
        return values([w, slots_of(optimizer)["m"]])

    def touched(x):
        return np.flatnonzero(np.any(x != 0, axis=1))

    (w, m), (exact, _) = step("int8"), step(None)
    np.testing.assert_allclose(w, exact, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(touched(w - start.astype("f4")), [5, 7])
    np.testing.assert_array_equal(touched(m), [5, 7])


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="a form of JAX")
@pytest.mark.parametrize("wrapped", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_parts_of_a_weight_get_the_update_of_the_whole(wrapped, monkeypatch):
    from keras_optlab.engine.fused import on_jax

    shapes = {"matrix": (64, 76)}  # 19 blocks

    monkeypatch.setattr(on_jax, "ROWS", 4)

    def end(smallest):
        monkeypatch.setattr(on_jax, "MIN_BLOCKS", smallest)
        optimizer = optimizers.AdamW(0.01, weight_decay=0.1, slot_dtype="int8")
        if wrapped:
            optimizer = optimizers.EMA(optimizer)
        found = trajectory(optimizer, weights(shapes), gradients(shapes, 5))
        return found + values(slots_of(optimizer).values())

    for a, b in zip(end(1), end(100), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.every
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="a form of torch")
@pytest.mark.parametrize("shape", [(300, 256), (300, 130)], ids=["full", "padded"])
def test_a_compiled_step_is_the_uncompiled_one(shape, monkeypatch):
    from keras_optlab.engine.fused import on_torch

    def end(after):
        monkeypatch.setattr(on_torch, "COMPILE_AFTER", after)
        shapes = {"matrix": shape}
        optimizer = optimizers.AdamW(0.01, weight_decay=0.1, slot_dtype="int8")
        found = trajectory(optimizer, weights(shapes), gradients(shapes, 3))
        return found + values(slots_of(optimizer).values())

    for a, b in zip(end(0), end(2**40), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_adamw_agrees_with_torchao():
    torch = pytest.importorskip("torch")
    torchao = pytest.importorskip("torchao.optim")
    size, steps = 64 * 64, 40
    start, gs = weights({"w": (64, 64)})[0], gradients({"w": (64, 64)}, steps)
    theirs = torch.nn.Parameter(torch.tensor(start, dtype=torch.float32))
    other = torchao.AdamW8bit([theirs], lr=0.01, weight_decay=0.1)
    (w,) = ws = variables([start])
    ours = optimizers.AdamW(0.01, weight_decay=0.1, epsilon=1e-8, slot_dtype="int8")
    full = optimizers.AdamW(0.01, weight_decay=0.1, epsilon=1e-8)
    exact = trajectory(full, [start], gs)[0]
    for (g,) in gs:
        theirs.grad = torch.tensor(g, dtype=torch.float32)
        other.step()
        ours.apply([ops.convert_to_tensor(g, "float32")], ws)
    assert size == math.prod(slots_of(ours)["m"].shape)
    got, there = values([w])[0], theirs.detach().numpy()
    moved = np.linalg.norm(exact - start)
    own_error = np.linalg.norm(got - exact) / moved
    their_error = np.linalg.norm(there - exact) / moved
    assert own_error < 1.1 * their_error
    assert np.linalg.norm(got - there) / moved < 1.5 * their_error


class TestSaving:
    def trained(self, **kwargs):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input((64,)), keras.layers.Dense(70), keras.layers.Dense(1)]
        )
        model.compile(optimizers.Adam(0.01, **kwargs), "mse")
        rng = np.random.default_rng(0)
        self.data = rng.normal(size=(64, 64)), rng.normal(size=(64, 1))
        model.fit(*self.data, verbose=0, shuffle=False)
        return model

    @pytest.mark.slow
    def test_resuming_goes_on_as_if_nothing_had_happened(self, tmp_path):
        model = self.trained(slot_dtype="int8")
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras")
        for m in (model, other):
            m.fit(*self.data, epochs=2, verbose=0, shuffle=False)
        for a, b in zip(model.weights, other.weights, strict=True):
            x, y = values([a, b])
            np.testing.assert_array_equal(x, y)
        for k, v in slots_of(model.optimizer).items():
            assert isinstance(v, Quantized)
            np.testing.assert_array_equal(
                v.numpy(), slots_of(other.optimizer)[k].numpy()
            )

    @pytest.mark.parametrize(
        "types",
        [
            (None, "int8"),
            pytest.param(("int8", None), marks=pytest.mark.slow),
            pytest.param(("bfloat16", "int8"), marks=pytest.mark.slow),
        ],
    )
    def test_state_of_the_other_type_loads(self, types, tmp_path, recwarn):
        before, after = types
        model = self.trained(slot_dtype=before)
        model.save_weights(tmp_path / "m.weights.h5")
        other = self.trained(slot_dtype=after)
        other.load_weights(tmp_path / "m.weights.h5")
        assert not [w for w in recwarn if "saved state" in str(w.message)]
        for k, v in slots_of(model.optimizer).items():
            a, b = values([v, slots_of(other.optimizer)[k]])
            np.testing.assert_allclose(a, b, rtol=0, atol=0.036 * np.abs(a).max())

    def test_a_file_has_a_byte_an_entry(self):
        model, store = self.trained(slot_dtype="int8"), {}
        model.optimizer.save_own_variables(store)
        sizes = {
            k.split("|")[1]: x.nbytes for k, x in store.items() if "slot|m|00000" in k
        }
        assert sizes == {"m": 64 * 70, "slot": 4 * 18}
