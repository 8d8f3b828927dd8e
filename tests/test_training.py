"""Whole trainings: compile, fit, save, mixed precision, embeddings, custom loops."""

import collections
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab import Group, optimizers, schedules, transforms
from keras_optlab.verify.problems import values
from tests.support.problems import compiled_model, fit, mlp, regression, state

BACKEND = keras.backend.backend()


def full(learning_rate=None, **kwargs):
    """Return an optimizer with several features that hold state."""
    return optimizers.Adam(
        learning_rate or schedules.Cosine(0.01, 50),
        weight_decay=schedules.Cosine(0.1, 50),
        amsgrad=True,
        use_ema=True,
        gradient_accumulation_steps=2,
        groups=[Group("head", learning_rate=0.5, beta_1=0.8)],
        gradient_transforms=[transforms.Centralize(), transforms.ClipByNorm(1.0)],
        update_transforms=[transforms.Cautious()],
        **kwargs,
    )


def assert_equal_states(a, b):
    for x, y in zip(
        values(a.weights) + state(a.optimizer),
        values(b.weights) + state(b.optimizer),
        strict=True,
    ):
        np.testing.assert_array_equal(x, y)


class TestSaving:
    def resumed(self, model, other):
        """Train both, one of them loaded from a file; check that they end equal."""
        x, y = regression()
        for m in (model, other):
            m.fit(x, y, batch_size=32, epochs=3, verbose=0, shuffle=False)
        assert_equal_states(model, other)

    def test_keras_file(self, tmp_path):
        model = fit(full(), epochs=3)
        model.optimizer.adjust("beta_2", 0.9)
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras")
        assert other.optimizer.beta_2 == 0.9
        self.resumed(model, other)

    @pytest.mark.slow
    def test_weights_file_into_the_same_architecture_with_other_layer_numbers(
        self, tmp_path
    ):
        def unnamed():
            keras.utils.set_random_seed(7)
            dense = keras.layers.Dense
            return keras.Sequential([keras.Input((8,)), dense(4), dense(1)])

        groups = {"groups": [Group("*kernel", learning_rate=0.5)]}
        model = fit(optimizers.Adam(**groups), unnamed())
        model.save_weights(tmp_path / "m.weights.h5")
        other = unnamed()
        other.compile(optimizers.Adam(**groups), "mse")
        other.load_weights(tmp_path / "m.weights.h5")  # before the optimizer is built
        assert model.layers[0].name != other.layers[0].name
        self.resumed(model, other)

    def test_the_state_is_kept_by_name(self, tmp_path):
        model = fit(optimizers.Adam(), epochs=1)
        store = {}
        model.optimizer.save_own_variables(store)
        paths = [v.path.replace("/", "|") for v in model.trainable_variables]
        assert {k for k in store if k.startswith("slot|m|")} == {
            f"slot|m|{i:05d}|{path}" for i, path in enumerate(paths)
        }
        backwards = dict(reversed(store.items()))
        other = optimizers.Adam()
        other.build(model.trainable_variables[::-1])
        other.load_own_variables(backwards)
        for p in model.optimizer.plan.parameters:
            twin = next(q for q in other.plan.parameters if q.path == p.path)
            np.testing.assert_array_equal(*values([p.slots["m"], twin.slots["m"]]))

    def test_mismatches_say_what_differs(self, tmp_path):
        model = fit(optimizers.Adam(), epochs=1)
        model.save_weights(tmp_path / "m.weights.h5")
        other = mlp()
        other.compile(optimizers.Lion(), "mse")
        other.optimizer.build(other.trainable_variables)
        strict, error = optimizers.strict_loading, pytest.raises
        with strict(), error(ValueError, match="v in the file, not here; ignored"):
            other.load_weights(tmp_path / "m.weights.h5")
        store = {}
        model.optimizer.save_own_variables(store)
        smaller = optimizers.Adam()
        smaller.build(model.trainable_variables[:2])
        with strict(), error(ValueError, match="head/kernel.*m, v in the file"):
            smaller.load_own_variables(store)
        twisted = optimizers.Adam()
        twisted.build([keras.Variable(np.ones((3, 1)))] * 1)
        key = next(k for k in store if k.startswith("slot|m|"))
        one = {k: v for k, v in store.items() if not k.startswith("slot")}
        one |= {key: store[key], key.replace("|m|", "|v|"): store[key]}
        with (
            strict(),
            error(ValueError, match=r"shape \(8, 16\) in the file and \(3, 1\)"),
        ):
            twisted.load_own_variables(one)

    def test_weights_without_an_optimizer_load(self, tmp_path):
        mlp().save_weights(tmp_path / "m.weights.h5")
        other = fit(optimizers.Adam(), epochs=1)
        other.load_weights(tmp_path / "m.weights.h5")

    @pytest.mark.sampled
    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            (
                optimizers.Adam(0.01, amsgrad=True),
                keras.optimizers.Adam(0.01, amsgrad=True),
            ),
            (
                optimizers.RMSprop(0.01, momentum=0.9, centered=True),
                keras.optimizers.RMSprop(0.01, momentum=0.9, centered=True),
            ),
            (
                optimizers.SGD(0.01, momentum=0.9),
                keras.optimizers.SGD(0.01, momentum=0.9),
            ),
            (optimizers.Ftrl(0.01), keras.optimizers.Ftrl(0.01)),
            (optimizers.Nadam(0.01), keras.optimizers.Nadam(0.01)),
        ],
        ids=lambda o: type(o).__name__,
    )
    @pytest.mark.slow
    def test_a_run_begun_with_the_keras_twin_goes_on_with_ours(
        self, ours, theirs, tmp_path
    ):
        ours, theirs = (type(o).from_config(o.get_config()) for o in (ours, theirs))
        model = fit(theirs)
        model.save_weights(tmp_path / "m.weights.h5")
        other = mlp()
        other.compile(ours, "mse")
        other.load_weights(tmp_path / "m.weights.h5")
        x, y = regression()
        for m in (model, other):
            m.fit(x, y, batch_size=32, epochs=2, verbose=0, shuffle=False)
        for a, b in zip(values(model.weights), values(other.weights), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

    @pytest.mark.slow
    @pytest.mark.parametrize("other", ["tensorflow", "jax", "torch"])
    def test_a_file_moves_between_backends(self, other, tmp_path):
        if other == BACKEND or not importlib.util.find_spec(other):
            pytest.skip("needs another backend")
        code = (
            "from tests.test_training import fit, full, mlp, regression\n"
            "model = fit(full(), epochs=3)\n"
            "model.save('begun.keras')\n"
            "x, y = regression()\n"
            "model.fit(x, y, batch_size=32, epochs=2, verbose=0, shuffle=False)\n"
            "model.save('done.keras')\n"
        )
        root = str(Path(__file__).parents[1])
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=os.environ | {"KERAS_BACKEND": other, "PYTHONPATH": root},
            check=True,
        )
        model = keras.saving.load_model(tmp_path / "begun.keras")
        x, y = regression()
        model.fit(x, y, batch_size=32, epochs=2, verbose=0, shuffle=False)
        done = keras.saving.load_model(tmp_path / "done.keras")
        assert int(model.optimizer.updates) == int(done.optimizer.updates) == 10
        for a, b in zip(values(model.weights), values(done.weights), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow format")
    @pytest.mark.slow
    def test_tensorflow_checkpoint(self, tmp_path):
        import tensorflow as tf

        def wrapped(model):
            return tf.train.Checkpoint(model=model, optimizer=model.optimizer)

        model = fit(full(), epochs=3)
        model.optimizer.beta_2 = 0.9
        path = wrapped(model).write(str(tmp_path / "ckpt"))
        other = mlp()
        other.compile(full(), "mse")
        other.optimizer.build(other.trainable_variables)
        wrapped(other).read(path).assert_consumed()
        assert other.optimizer.beta_2 == pytest.approx(0.9)
        self.resumed(model, other)


class TestPrecision:
    def test_mixed_float16(self):
        keras.config.set_dtype_policy("mixed_float16")
        try:
            model = fit(optimizers.Adam(0.01, global_clipnorm=1.0), epochs=3)
        finally:
            keras.config.set_dtype_policy("float32")
        assert type(model.optimizer).__name__ == "LossScaleOptimizer"
        assert int(model.optimizer.inner_optimizer.updates) > 0
        assert all(np.isfinite(w).all() for w in values(model.weights))

    def test_mixed_bfloat16(self):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            model = fit(optimizers.Adam(0.01), epochs=2)
        finally:
            keras.config.set_dtype_policy("float32")
        assert int(model.optimizer.updates) == 8

    @pytest.mark.slow
    def test_bfloat16_weights_have_float32_slots(self, tmp_path):
        keras.config.set_dtype_policy("bfloat16")
        try:
            model = fit(full(0.01), epochs=2)
            model.save_weights(tmp_path / "m.weights.h5")
            other = mlp()
            other.compile(full(0.01), "mse")
            other.load_weights(tmp_path / "m.weights.h5")
            other.optimizer.build(other.trainable_variables)
        finally:
            keras.config.set_dtype_policy("float32")
        slots = model.optimizer.plan.parameters[0].slots
        assert {keras.backend.standardize_dtype(v.dtype) for v in slots.values()} == {
            "float32"
        }
        assert_equal_states(model, other)

    def test_bfloat16_weights_stay_close_to_float32(self):
        def end(dtype):
            ws = [keras.Variable(np.full((4,), 0.5), dtype=dtype)]
            adam = optimizers.Adam(0.01)
            rng = np.random.default_rng(0)
            for _ in range(20):
                g = ops.convert_to_tensor(rng.normal(size=4) + 1, dtype)
                adam.apply([g], ws)
            return values([ops.cast(ws[0], "float32")])[0]

        np.testing.assert_allclose(end("bfloat16"), end("float32"), rtol=0.02)


class Holding(keras.Model):
    """A model that holds its layers in a container, which TensorFlow wraps."""

    def __init__(self, container):
        super().__init__()
        self.held = container(keras.layers.Dense(n) for n in (3, 1))

    def call(self, x):
        first, second = (
            self.held.values() if hasattr(self.held, "values") else self.held
        )
        return second(first(x))


CONTAINERS = {
    "tuple": tuple,
    "list": list,
    "dict": lambda layers: dict(zip("ab", layers, strict=True)),
    "named": lambda layers: collections.namedtuple("Pair", "a b")(*layers),
}
OPTIMIZERS = {
    "plain": lambda: optimizers.Adam(),
    "two sets": lambda: optimizers.EMA(optimizers.Adam()),
    "second pass": lambda: optimizers.SAM(optimizers.SGD()),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.slow
def test_a_frozen_model_may_be_fitted_without_effect(kind):
    """The last batch is smaller, so TensorFlow traces a second time."""
    model = Holding(list)
    model.trainable = False
    model.compile(OPTIMIZERS[kind](), "mse")
    x, y = regression(40)
    losses = [
        model.fit(x, y, batch_size=n, verbose=0).history["loss"] for n in (32, 40)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-4)


@pytest.mark.sampled
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_model_may_hold_its_layers_in_containers(container, kind):
    model = Holding(CONTAINERS[container])
    model.compile(OPTIMIZERS[kind](), "mse")
    x, y = regression(32)
    for _ in range(2):
        model.fit(x, y, verbose=0)
    assert int(model.optimizer.updates) == 2


class TestModels:
    def test_a_frozen_layer(self):
        model = mlp()
        model.get_layer("hidden").trainable = False
        before = values(model.get_layer("hidden").weights)
        fit(optimizers.AdamW(weight_decay=0.1), model)
        for a, b in zip(before, values(model.get_layer("hidden").weights), strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.slow
    def test_constraints_and_steps_per_execution_and_jit(self):
        dense = keras.layers.Dense(1, kernel_constraint=keras.constraints.NonNeg())
        model = keras.Sequential([keras.Input((8,)), dense])
        jit = {"jit_compile": True} if BACKEND == "jax" else {"jit_compile": False}
        several = 1 if BACKEND == "torch" else 4  # torch' trainer knows only 1
        fit(optimizers.Adam(0.1), model, steps_per_execution=several, **jit)
        assert (values(model.weights)[0] >= 0).all()
        assert int(model.optimizer.updates) == 8

    @pytest.mark.every
    def test_jit_compiled_equals_eager(self):
        def end(**how):
            return values(fit(full(), **how).trainable_variables)

        modes = [{"run_eagerly": True}, {"jit_compile": False}]
        modes += [{"jit_compile": True}] if BACKEND == "tensorflow" else []
        first, *others = [end(**mode) for mode in modes]
        for other in others:
            for a, b in zip(first, other, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

    @pytest.mark.slow
    def test_swap_ema_weights(self):
        x, y = regression()

        def trained(optimizer):
            model = compiled_model(mlp(), optimizer)
            swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
            model.fit(
                x,
                y,
                epochs=2,
                validation_data=(x, y),
                verbose=0,
                callbacks=[swap],
                shuffle=False,
            )
            return values(model.trainable_variables)

        average = {"use_ema": True, "ema_momentum": 0.5}
        ours = trained(optimizers.Adam(0.01, **average))
        theirs = trained(keras.optimizers.Adam(0.01, **average))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

    def test_keras_own_rate_callbacks(self):
        model = mlp()
        model.compile(optimizers.Adam(0.01), "mse")
        x, y = regression()
        halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
        model.fit(x, y, epochs=2, verbose=0, callbacks=[halve])
        assert float(model.optimizer.learning_rate) == pytest.approx(0.0025)
