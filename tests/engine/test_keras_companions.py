"""Keras' own callbacks, savers and distributions with these optimizers."""

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.verify.problems import values
from tests.support.devices import on_two_devices
from tests.support.problems import TAMED, mirrored_strategy, mlp, regression

BACKEND = keras.backend.backend()
X, Y = regression(96)
STEPS = {"batch_size": 32, "verbose": 0, "shuffle": False}


def make(name):
    """Return a rule, or a wrapper around Adam."""
    if name in optimizers.wrappers():
        return optimizers.create(name, optimizer=optimizers.Adam(0.01))
    return optimizers.create(name, **TAMED.get(name, {}))


def compiled(name):
    model = mlp()
    model.compile(make(name), "mse")
    return model


def assert_same(model, other):
    everything = [(m.weights, m.optimizer.plan.parameters) for m in (model, other)]
    (a, ps), (b, qs) = everything
    slots = [[s for p in params for s in p.slots.values()] for params in (ps, qs)]
    for x, y in zip(values([*a, *slots[0]]), values([*b, *slots[1]]), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


class Interrupted(keras.callbacks.Callback):
    """A callback that interrupts training after the second epoch."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


each = pytest.mark.parametrize("name", optimizers.names())


@pytest.mark.sampled
@pytest.mark.long
@each
@pytest.mark.slow
def test_backup_and_restore_goes_on_as_if_uninterrupted(name, tmp_path):
    whole = compiled(name)
    whole.fit(X, Y, epochs=4, **STEPS)
    backup = keras.callbacks.BackupAndRestore
    with pytest.raises(KeyboardInterrupt):
        compiled(name).fit(
            X, Y, epochs=4, callbacks=[backup(tmp_path), Interrupted()], **STEPS
        )
    parts = compiled(name)
    history = parts.fit(X, Y, epochs=4, callbacks=[backup(tmp_path)], **STEPS)
    assert history.epoch == [2, 3]
    assert_same(whole, parts)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.long
@each
def test_a_clone_compiled_from_the_configuration_trains_alike(name):
    model = compiled(name)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    clone.compile_from_config(model.get_compile_config())
    for one in (model, clone):
        one.fit(X, Y, **STEPS)
    assert_same(model, clone)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.long
@each
def test_weights_in_several_files_bring_the_state(name, tmp_path):
    dense = keras.layers.Dense
    model, other = (
        keras.Sequential([keras.Input((8,)), dense(16), dense(16), dense(1)])
        for _ in range(2)
    )
    for one in (model, other):
        one.compile(make(name), "mse")
    model.fit(X, Y, **STEPS)
    kilobyte = 1.1e-6  # in GB
    model.save_weights(tmp_path / "m.weights.json", max_shard_size=kilobyte)
    assert len(list(tmp_path.glob("m*.h5"))) > 1
    other.load_weights(tmp_path / "m.weights.json")
    for one in (model, other):
        one.fit(X, Y, **STEPS)
    assert_same(model, other)


@pytest.mark.sampled
@pytest.mark.long
@each
def test_terminate_on_nan_finds_weights_that_are_none(name):
    model, x = compiled(name), X.copy()
    x[40, 0] = np.nan  # in the second batch
    stop = keras.callbacks.TerminateOnNaN()
    with pytest.warns(UserWarning, match="skipped 1 of [23] steps"):
        model.fit(x, Y, callbacks=[stop], **STEPS)  # stops at its next check
    assert int(model.optimizer.updates) in (1, 2)
    assert all(np.isfinite(w).all() for w in values(model.trainable_variables))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow strategy")
@pytest.mark.every
def test_averages_are_swapped_and_saved_under_a_strategy_as_those_of_keras(tmp_path):
    found = []
    for cls in (optimizers.Adam, keras.optimizers.Adam):
        with mirrored_strategy().scope():
            model = mlp()
            model.compile(cls(0.01, use_ema=True, ema_momentum=0.5), "mse")
        keep = keras.callbacks.ModelCheckpoint(tmp_path / "m.keras")
        swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
        model.fit(X, Y, epochs=2, callbacks=[swap, keep], **STEPS)
        found.append(values(keras.saving.load_model(tmp_path / "m.keras").weights))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(BACKEND != "jax", reason="a distribution of JAX")
@on_two_devices
@pytest.mark.parametrize("name", ["adamw", "muon", "ema", "schedulefreeadamw"])
def test_slots_are_sharded_as_their_weights(name):
    devices = keras.distribution.list_devices()[:2]
    mesh = keras.distribution.DeviceMesh((1, 2), ["batch", "model"], devices)
    layout = keras.distribution.LayoutMap(mesh)
    layout["hidden/kernel"] = (None, "model")
    distribution = keras.distribution.ModelParallel(
        layout_map=layout, batch_dim_name="batch"
    )
    try:
        keras.distribution.set_distribution(distribution)
        model = compiled(name)
        model.fit(X, Y, **STEPS)
    finally:
        keras.distribution.set_distribution(None)
    kernel = model.optimizer.plan.parameters[0]
    assert kernel.path.endswith("hidden/kernel")
    assert len(kernel.variable.value.sharding.device_set) == 2
    same = [s for s in kernel.slots.values() if s.shape == kernel.variable.shape]
    assert same
    for slot in same:
        assert slot.value.sharding == kernel.variable.value.sharding
