"""Checkpoints hold the averages; training continues from them or without them."""

import functools

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.callbacks.average_model_checkpoint import AverageModelCheckpoint
from tests.support.fitting import EveryStep, Script, X, Y, fit
from tests.support.problems import compiled_model

pytestmark = pytest.mark.sampled

MOMENTUM = 0.75
MAKERS = {
    "ours": lambda **kw: optimizers.Adam(0.1, **kw),
    "stock": lambda **kw: keras.optimizers.Adam(0.1, **kw),
    "ours, loss scaled": lambda **kw: keras.optimizers.LossScaleOptimizer(
        optimizers.Adam(0.1, **kw), initial_scale=4.0
    ),
}


def averaging(maker="ours"):
    """Return a model with batch statistics, which stock optimizers do not average."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    optimizer = MAKERS[maker](use_ema=True, ema_momentum=MOMENTUM)
    return compiled_model(model, optimizer)


def averaged(model, maker="ours"):
    """Return which weights have an average."""
    return [v.trainable or maker != "stock" for v in model.weights]


def in_the_middle(model, callbacks, epochs):
    """Train, and return the weights after each step, before Keras finalizes them."""
    every_step = EveryStep(keras.Model.get_weights)
    fit(model, [every_step, *callbacks], epochs=epochs, shuffle=False)
    return [w for _, w in sorted(every_step.kept.items())]


@functools.cache
def without(maker):
    """Return the weights after each step of a training without checkpoints."""
    return in_the_middle(averaging(maker), [], epochs=2)


def averages(weights, trainable):
    """Return the averages after the last step, from their definition, in float64."""
    average = [w.astype("float64") for w in weights[1]]
    for now in weights[2:]:
        average = [
            MOMENTUM * a + (1 - MOMENTUM) * w for a, w in zip(average, now, strict=True)
        ]
    return [
        a if is_trainable else w
        for a, w, is_trainable in zip(average, weights[-1], trainable, strict=True)
    ]


def saved(path):
    return keras.models.load_model(path).get_weights()


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.slow
def test_the_file_holds_the_averages_and_training_goes_on_without(maker, tmp_path):
    model, path = averaging(maker), str(tmp_path / "{epoch}.keras")
    trainable = averaged(model, maker)
    weights = in_the_middle(model, [AverageModelCheckpoint(False, path)], epochs=2)
    expected = averages(weights, trainable)
    for stored, average in zip(saved(tmp_path / "2.keras"), expected, strict=True):
        np.testing.assert_allclose(stored, average, rtol=2e-5, atol=2e-6)
    for now, then in zip(weights, without(maker), strict=True):
        for a, b in zip(now, then, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("maker", ["ours", "stock"])
def test_training_may_go_on_from_the_averages(maker, tmp_path):
    path = str(tmp_path / "{epoch}.keras")
    checkpoint = AverageModelCheckpoint(True, path)
    weights = in_the_middle(averaging(maker), [checkpoint], epochs=2)
    for now, average in zip(weights[2], saved(tmp_path / "1.keras"), strict=True):
        np.testing.assert_array_equal(now, average)
    for step, same in enumerate([True, True, False, False, False]):
        kernel, other = weights[step][4], without(maker)[step][4]
        assert np.array_equal(kernel, other) is same


def test_between_two_batches_and_weights_only(tmp_path):
    model, path = averaging(), str(tmp_path / "{epoch}-{batch}.weights.h5")
    trainable = averaged(model)
    checkpoint = AverageModelCheckpoint(
        False, path, save_weights_only=True, save_freq=1
    )
    weights = in_the_middle(model, [checkpoint], epochs=2)
    loaded = averaging()
    loaded.load_weights(tmp_path / "2-1.weights.h5", skip_mismatch=False)
    expected = averages(weights[:4], trainable)
    for stored, average in zip(loaded.get_weights(), expected, strict=True):
        np.testing.assert_allclose(stored, average, rtol=2e-5, atol=2e-6)


def test_only_the_best_is_saved(tmp_path):
    path = str(tmp_path / "{epoch}.keras")
    checkpoint = AverageModelCheckpoint(False, path, save_best_only=True, mode="min")
    fit(averaging(), [Script([2.0, 1.0, 3.0]), checkpoint], epochs=3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.keras", "2.keras"]


def test_a_save_that_fails_leaves_the_weights_of_the_training(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError("the disk is full")

    model = averaging()
    monkeypatch.setattr(model, "save", full)
    checkpoint = AverageModelCheckpoint(False, str(tmp_path / "model.keras"))
    checkpoint.set_model(model)
    fit(model, [], epochs=1)
    average = keras.ops.convert_to_numpy(model.optimizer.averages[0])
    model.weights[0].assign(average + 1)
    with pytest.raises(OSError, match="full"):
        checkpoint.on_epoch_end(0, {})
    np.testing.assert_array_equal(model.get_weights()[0], average + 1)


def test_averages_of_one_of_several_optimizers(tmp_path):
    by_layer = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1))
    by_layer[".*averaged/.*"] = keras.optimizers.SGD(
        0.1, use_ema=True, ema_momentum=MOMENTUM
    )
    layers = [keras.layers.Dense(4, name="averaged"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(keras.optimizers.MultiOptimizer(by_layer), loss="mse")
    path = str(tmp_path / "model.weights.h5")
    checkpoint = AverageModelCheckpoint(False, path, save_weights_only=True)
    weights = in_the_middle(model, [checkpoint], epochs=1)
    clone = keras.models.clone_model(model)
    clone.load_weights(path)
    expected = averages(weights, [True, True, False, False])
    for stored, average in zip(clone.get_weights(), expected, strict=True):
        np.testing.assert_allclose(stored, average, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("optimizer", [optimizers.SGD(), keras.optimizers.SGD()])
def test_an_optimizer_without_averages_is_refused(optimizer, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer, loss="mse")
    checkpoint = AverageModelCheckpoint(False, str(tmp_path / "model.keras"))
    with pytest.raises(ValueError, match=r"averages.*Received: .*`use_ema=True`"):
        model.fit(X, Y, callbacks=[checkpoint], verbose=0)


# Errors and interruptions while a checkpoint is saved.


def end_in_the_midst(model, checkpoint, error):
    checkpoint.set_model(model)
    checkpoint.on_train_begin()
    checkpoint.on_epoch_begin(0)
    with pytest.raises(error):
        checkpoint.on_epoch_end(0, {})


def trained_apart():
    """Return a trained model whose weights are not their averages."""
    model = averaging()
    fit(model, [], epochs=1)
    for weight in model.trainable_variables:
        weight.assign(keras.ops.convert_to_numpy(weight) + 1)
    return model


@pytest.mark.parametrize("update_weights", [False, True])
@pytest.mark.parametrize("at", [0, 1, 3, 4, 6])
def test_weights_and_averages_do_not_mix(update_weights, at, tmp_path, monkeypatch):
    """Four assignments swap the averages in; from the fifth on, weights come back."""
    model = trained_apart()
    before, calls = model.get_weights(), []
    assign = keras.Variable.assign

    def interrupted(self, value):
        calls.append(self)
        if len(calls) == at + 1:
            raise KeyboardInterrupt
        return assign(self, value)

    path = str(tmp_path / "model.keras")
    checkpoint = AverageModelCheckpoint(update_weights, path)
    monkeypatch.setattr(keras.Variable, "assign", interrupted)
    if update_weights and at >= 4:  # nothing is put back
        checkpoint.set_model(model)
        checkpoint.on_epoch_end(0, {})
        return
    end_in_the_midst(model, checkpoint, KeyboardInterrupt)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def half_written(path, overwrite=True):
    with open(path, "wb") as file:
        file.write(b"half of it")
    raise OSError("the disk is full")


@pytest.mark.parametrize("update_weights", [False, True])
@pytest.mark.parametrize("weights_only", [False, True])
def test_a_save_that_fails_leaves_the_last_file(
    update_weights, weights_only, tmp_path, monkeypatch
):
    model, before = trained_apart(), None
    path = tmp_path / ("model.weights.h5" if weights_only else "model.keras")
    checkpoint = AverageModelCheckpoint(
        update_weights, path, save_weights_only=weights_only, save_best_only=True,
        monitor="loss",
    )  # fmt: skip
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0, {"loss": 2.0})
    good, before = path.read_bytes(), model.get_weights()
    written = path.stat().st_mtime_ns
    method = "save_weights" if weights_only else "save"
    monkeypatch.setattr(model, method, half_written)
    with pytest.raises(OSError, match="the disk is full") as failed:
        checkpoint.on_epoch_end(1, {"loss": 1.0})
    assert "is still there" in failed.value.__notes__[0]
    assert path.read_bytes() == good
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    monkeypatch.undo()
    assert checkpoint.best == 2.0
    checkpoint.on_epoch_end(2, {"loss": 1.5})  # better than what is in the file
    assert path.stat().st_mtime_ns > written


def test_shards_take_their_places(tmp_path, monkeypatch):
    model = trained_apart()
    whole = model.save_weights

    def sharded(path, overwrite=True):
        other = path.replace("model", "model_00001")
        whole(path, overwrite=overwrite)
        whole(other, overwrite=overwrite)

    monkeypatch.setattr(model, "save_weights", sharded)
    path = tmp_path / "runs" / "model.weights.h5"
    checkpoint = AverageModelCheckpoint(False, path, save_weights_only=True)
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0, {})
    names = sorted(p.name for p in path.parent.iterdir())
    assert names == ["model.weights.h5", "model_00001.weights.h5"]


def test_a_link_is_followed_and_a_directory_refused(tmp_path):
    model = trained_apart()
    (tmp_path / "real.keras").write_bytes(b"")
    (tmp_path / "link.keras").symlink_to(tmp_path / "real.keras")
    checkpoint = AverageModelCheckpoint(False, tmp_path / "link.keras")
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0, {})
    assert (tmp_path / "link.keras").is_symlink()
    assert (tmp_path / "real.keras").stat().st_size
    (tmp_path / "directory.keras").mkdir()
    checkpoint = AverageModelCheckpoint(False, tmp_path / "directory.keras")
    end_in_the_midst(model, checkpoint, IsADirectoryError)


def test_the_best_by_batches_before_an_epoch_has_ended(tmp_path):
    checkpoint = AverageModelCheckpoint(
        False, tmp_path / "x.keras", save_best_only=True, monitor="loss", save_freq=1
    )
    fit(averaging(), [checkpoint], epochs=1)
    assert (tmp_path / "x.keras").exists()


def two_points():
    return [
        optimizers.ScheduleFreeAdamW(),
        optimizers.EMA(optimizers.SGD()),
        keras.optimizers.LossScaleOptimizer(optimizers.EMA(optimizers.SGD())),
    ]


@pytest.mark.parametrize("which", range(3))
def test_a_rule_with_weights_to_evaluate_needs_none(which, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(two_points()[which], loss="mse")
    checkpoint = AverageModelCheckpoint(False, str(tmp_path / "model.keras"))
    with pytest.raises(ValueError, match=r"Use `keras\.callbacks\.ModelCheckpoint`"):
        model.fit(X, Y, callbacks=[checkpoint], verbose=0)
