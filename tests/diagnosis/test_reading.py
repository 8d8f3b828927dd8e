"""Reading a History, a `Monitor` and a log directory."""

import shutil
import sys

import keras
import numpy as np
import pytest

import keras_optlab as kol
from keras_optlab.callbacks import Monitor, TensorBoard
from keras_optlab.core.records import records
from keras_optlab.diagnosis.from_fit import read_history, read_monitor
from keras_optlab.diagnosis.from_log import read_log
from tests.support.fitting import X, Y, new_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a log directory, the Monitor and the History of one training."""
    directory = tmp_path_factory.mktemp("logs") / "run"
    optimizer = kol.optimizers.Adam(kol.schedules.Cosine(0.1), global_clipnorm=1.0)
    model, monitor = new_model(optimizer), Monitor(every=1)
    callbacks = [monitor, TensorBoard(directory, every=1)]
    history = model.fit(
        X,
        Y,
        batch_size=4,
        epochs=6,
        validation_data=(X, Y),
        callbacks=callbacks,
        verbose=0,
    )
    return directory, monitor, history


def same(one, other):
    assert len(one.at) > 0
    np.testing.assert_allclose(one.at, other.at)
    np.testing.assert_allclose(one.values, other.values, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_all_three_give_the_same_record(trained):
    directory, monitor, history = trained
    log, rows, logs = read_log(directory), read_monitor(monitor), read_history(history)
    for name in "loss", "val_loss":
        same(log.epochs[name], rows.epochs[name])
        same(logs.epochs[name], rows.epochs[name])
    tags = ["optimizer/gradient_norm", "update_ratio/dense/kernel"]
    for tag in (t for t in tags if t in rows.steps):
        same(log.steps[tag], rows.steps[tag])
    same(log.rate, rows.rate)
    assert len(rows.rate.at) == 24 == log.trained == rows.trained == logs.trained


def test_the_loss_of_each_step_is_found_again_from_the_means(trained):
    directory, monitor, history = trained
    record = read_monitor(monitor)
    same(read_log(directory).losses, record.losses)
    of_epochs = record.losses.values.reshape(6, 4).mean(axis=1)
    np.testing.assert_allclose(of_epochs, history.history["loss"], rtol=1e-4)


def test_the_rate_of_a_history_is_that_of_the_schedule(trained):
    _, _, history = trained
    rate = read_history(history).rate
    assert rate.values[0] == pytest.approx(0.1)
    assert rate.values[-1] == pytest.approx(0.0, abs=1e-3)


def test_the_setting_is_that_of_the_model(trained):
    setting = read_history(trained[2]).setting
    assert (setting.optimizer, setting.ours) == ("Adam", True)
    assert (setting.updates, setting.clips) == (24, {"global_clipnorm": 1.0})


def test_a_stock_optimizer_gives_its_metrics():
    model = new_model(keras.optimizers.AdamW(weight_decay=0.1))
    monitor = Monitor(every=2)
    history = model.fit(X, Y, epochs=5, callbacks=[monitor], verbose=0)
    setting = read_history(history).setting
    assert (setting.ours, setting.decayed_vectors) == (False, ("dense/bias",))
    found = kol.diagnose(monitor)
    assert "overfitting" in found.not_judged
    assert "stock Keras optimizer" in found.not_judged["rate_too_high"]


def test_our_groups_and_masks_say_what_decays():
    groups = [kol.Group("*/bias", weight_decay=0.3)]
    for arguments, factor in ({"groups": groups}, 0.3), ({"decay_mask": "matrices"}, 0):
        model = new_model(kol.optimizers.AdamW(weight_decay=0.1, **arguments))
        history = model.fit(X, Y, verbose=0)
        assert read_history(history).setting.weight_decay == pytest.approx(factor)


def test_the_newest_run_of_a_directory_is_read(trained, tmp_path):
    import shutil

    for name in "", "run-2", "run-10":
        shutil.copytree(trained[0], tmp_path / name, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "run-10" / "validation")
    assert "val_loss" in read_log(tmp_path / "run-2").epochs
    assert "val_loss" not in read_log(tmp_path).epochs
    assert "val_loss" in read_log(trained[0].parent).epochs  # the only one below


def test_a_file_that_ends_in_the_middle_is_read_so_far(trained, tmp_path):
    import shutil

    shutil.copytree(trained[0], tmp_path, dirs_exist_ok=True)
    file = next((tmp_path / "train").glob("*tfevents*"))
    file.write_bytes(file.read_bytes()[:-7])
    assert read_log(tmp_path).epochs["loss"]


def test_directories_that_are_no_log(trained, tmp_path):
    with pytest.raises(ValueError, match="no directory"):
        kol.diagnose(tmp_path / "missing")
    with pytest.raises(ValueError, match="0 logs: none"):
        kol.diagnose(str(tmp_path))
    for name in "one", "two":
        (tmp_path / name / "train").mkdir(parents=True)
    with pytest.raises(ValueError, match="2 logs: .*one.*two"):
        kol.diagnose(tmp_path)
    with pytest.raises(ValueError, match="has none. Train at least"):
        kol.diagnose(tmp_path / "one")


def test_without_tensorboard_a_log_cannot_be_read(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        kol.diagnose(trained[0])


def test_what_is_no_record():
    with pytest.raises(TypeError, match=r"Received: source=3\. `model.fit` returns"):
        kol.diagnose(3)
    with pytest.raises(TypeError, match="Received: History and `x`"):
        kol.diagnose(keras.callbacks.History(), X)
    with pytest.raises(ValueError, match="a Monitor without values"):
        kol.diagnose(Monitor())
    history = keras.callbacks.History()
    history.on_train_begin()
    with pytest.raises(ValueError, match="a History without values"):
        kol.diagnose(history)


@pytest.mark.parametrize("at", [0, 3, 9, 200, 500])
def test_a_damaged_log_is_read_as_far_as_it_is_whole(trained, tmp_path, at):
    directory, _, _ = trained
    copied = tmp_path / "run"
    shutil.copytree(directory, copied)
    (file,) = (copied / "train").glob("*tfevents*")
    content = bytearray(file.read_bytes())
    content[at] ^= 0x40
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged at byte"):
        found = list(records(file))
    assert len(found) < len(list(records(next((directory / "train").iterdir()))))


def test_a_record_that_is_being_written_is_left_out(trained, tmp_path):
    directory, _, _ = trained
    (file,) = (directory / "train").glob("*tfevents*")
    whole, cut = list(records(file)), tmp_path / "events.out.tfevents.1"
    cut.write_bytes(file.read_bytes()[:-3])
    assert list(records(cut)) == whole[:-1]
