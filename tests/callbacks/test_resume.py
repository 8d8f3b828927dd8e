import itertools
import os
import random
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

import keras_optlab as kol
from keras_optlab.callbacks import Resume
from tests.campaign.accidents import same
from tests.campaign.trainings import ARRAYS, EPOCHS, TRAININGS, X, Y, network

BATCHES = 21  # in an epoch of most trainings


class Accident(Exception):
    pass


class Crash(keras.callbacks.Callback):
    """Ends the training by an exception, before the n-th batch from now."""

    get_state = dict

    def set_state(self, state):
        pass

    def __init__(self, at):
        super().__init__()
        self.left = at

    def on_train_batch_begin(self, batch, logs=None):
        at_once = self.model.steps_per_execution
        self.left -= at_once
        if self.left < 0:
            raise Accident


def train(name, path, seed, crash=999, every=3, epochs=EPOCHS):
    """Train in what may be a new process, until the end or the accident."""
    if name == "tf_data":
        pytest.importorskip("tensorflow")
    path.mkdir(exist_ok=True)
    keras.utils.clear_session()  # layers get the names they have in a new process
    keras.utils.set_random_seed(seed)
    model, data, callbacks = TRAININGS[name](path)
    resume = Resume(path / "checkpoints", every=every, verbose=0)
    given = [*callbacks, resume, Crash(crash)]
    try:
        history = model.fit(**data, epochs=epochs, verbose=0, callbacks=given)
    except Accident:
        return None
    return model, history, callbacks


def assert_equal(one, other):
    (model, history, callbacks), (model_2, history_2, callbacks_2) = one, other
    assert history.history == history_2.history
    assert history.epoch == history_2.epoch
    for a, b in zip(model.get_weights(), model_2.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    variables = zip(model.optimizer.variables, model_2.optimizer.variables, strict=True)
    for a, b in variables:
        arrays = map(keras.ops.convert_to_numpy, (a, b))
        np.testing.assert_array_equal(*arrays, err_msg=a.path)
    for a, b in zip(callbacks, callbacks_2, strict=True):
        for attribute in ("rows", "history", "reason", "stopped_epoch", "best"):
            x, y = getattr(a, attribute, None), getattr(b, attribute, None)
            assert same(x, y), (attribute, x, y)


def check(name, tmp_path, crashes, **how):
    whole = train(name, tmp_path / "whole", 0, **how)
    for i, crash in enumerate(crashes):
        assert train(name, tmp_path / "parts", i, crash, **how) is None
    assert_equal(whole, train(name, tmp_path / "parts", 99, **how))


PLAIN = ("adam",)


@pytest.mark.parametrize(
    "name",
    [n if n in PLAIN else pytest.param(n, marks=pytest.mark.every) for n in TRAININGS],
)
def test_goes_on_as_if_uninterrupted(name, tmp_path):
    crashes = [31] if name in PLAIN else [11, 20]  # the last in the second epoch
    check(name, tmp_path, crashes, epochs=3 if name in PLAIN else EPOCHS)


def test_the_count_of_epochs_by_which_keras_shuffles_goes_on(tmp_path, monkeypatch):
    counts = []

    def begin(adapter):
        if adapter._shuffle:  # the validation data have a count of their own
            counts.append(adapter._epoch)

    def end(adapter):
        adapter._epoch += 1

    monkeypatch.setattr(ArrayDataAdapter, "_epoch", 0, raising=False)  # before 3.16
    monkeypatch.setattr(ArrayDataAdapter, "on_epoch_begin", begin)
    monkeypatch.setattr(ArrayDataAdapter, "on_epoch_end", end)
    train("adam", tmp_path / "whole", 0, epochs=3)
    whole = counts.copy()
    train("adam", tmp_path / "parts", 0, crash=2 * BATCHES + 3, epochs=3)
    counts.clear()
    train("adam", tmp_path / "parts", 0, epochs=3)
    assert whole[-2] < whole[-1]
    assert counts[-1] == whole[-1]


@pytest.mark.every
@pytest.mark.parametrize("crash", [20, 21, 22])
def test_around_the_end_of_data_of_unknown_length(crash, tmp_path):
    check("tf_data", tmp_path, [crash, 1], every=1)


@pytest.mark.every
@pytest.mark.parametrize("name", ["adam", "spans", "short_epochs", "tf_data"])
def test_at_epochs(name, tmp_path):
    check(name, tmp_path, [BATCHES + 3, BATCHES + 2], every="epoch")


@pytest.mark.slow
def test_says_where_it_goes_on(tmp_path, capsys):

    def fit(epochs=3, every=5, callbacks=()):
        model = network(kol.optimizers.Adam(0.01))
        resume = Resume(tmp_path, every=every)
        model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0,
                  callbacks=[resume, *callbacks])  # fmt: skip

    with pytest.raises(Accident):
        fit(callbacks=[Crash(BATCHES + 12)])
    assert capsys.readouterr().out == ""
    fit()
    assert capsys.readouterr().out == "Resume: going on at epoch 2, batch 11.\n"
    fit()
    expected = "Resume: nothing to train: the training has ended after epoch 3.\n"
    assert capsys.readouterr().out == expected
    fit(epochs=4)
    assert capsys.readouterr().out == "Resume: going on at epoch 4.\n"


@pytest.mark.every
def test_an_ended_training_returns_its_history(tmp_path):
    one = train("keras_adamw", tmp_path, 0)
    other = train("keras_adamw", tmp_path, 7)
    assert_equal(one, other)


@pytest.mark.slow
def test_a_second_fit_without_anything_to_train(tmp_path):
    model = network(kol.optimizers.Adam())
    resume = Resume(tmp_path, verbose=0)
    how = {"batch_size": 16, "verbose": 0, "callbacks": [resume]}
    model.fit(X, Y, epochs=2, **how)
    with pytest.raises(ValueError, match="nothing to train"):
        model.fit(X, Y, epochs=2, **how)
    history = model.fit(X, Y, epochs=3, initial_epoch=2, **how)
    assert history.epoch == [0, 1, 2]
    assert model._initial_epoch is None


@pytest.mark.every
def test_a_damaged_checkpoint(tmp_path):
    whole = train("ema", tmp_path / "whole", 0)
    assert train("ema", tmp_path / "parts", 0, 20) is None
    newest = max((tmp_path / "parts" / "checkpoints").glob("epoch-*"))
    newest.write_bytes(b"")
    with pytest.warns(UserWarning, match="is damaged .*checksum"):
        rest = train("ema", tmp_path / "parts", 5)
    assert_equal(whole, rest)


def interrupted(path, **data):
    """Return a function that fits another model to the rest of a training."""
    keras.utils.set_random_seed(0)
    model = network(kol.optimizers.Adam(0.01))
    how = {"batch_size": 16, "epochs": 2, "verbose": 0} | data
    with pytest.raises(Accident):
        model.fit(X, Y, **how, callbacks=[Resume(path, every=3), Crash(10)])

    def fit(model, x=X, y=Y, callbacks=(), **other):
        resume = Resume(path, every=3, verbose=0)
        return model.fit(x, y, **{**how, **other}, callbacks=[*callbacks, resume])

    return fit


def other_model():
    model = keras.Sequential([keras.layers.Dense(9), keras.layers.Dense(3)])
    model.compile(
        kol.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(True)
    )
    return model


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("model", "how", "message"),
    [
        (other_model, {}, "another model.*weights: 4 variables, which were 9"),
        (lambda: network(kol.optimizers.Lion()), {}, "another optimizer.*Lion.*Adam"),
        (lambda: network(kol.optimizers.Adam()), {"x": X[:200], "y": Y[:200]},
         "another data.*rows=200, which was 330"),
        (lambda: network(kol.optimizers.Adam()), {"batch_size": 8},
         "another data.*batch_size=8, which was 16"),
        (lambda: network(kol.optimizers.Adam()), {"callbacks": [Resume("other")]},
         "Two callbacks restore"),
        (lambda: network(kol.optimizers.Adam()),
         {"callbacks": [keras.callbacks.BackupAndRestore("other")]},
         "BackupAndRestore and Resume"),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_another_training_is_refused(model, how, message, tmp_path):
    fit = interrupted(tmp_path)
    model = model()
    with pytest.raises(ValueError, match=message):
        fit(model, **how)
    assert model.optimizer.iterations == 0
    fit(network(kol.optimizers.Adam(0.01)))  # nothing was lost


@pytest.mark.slow
def test_other_settings_are_told(tmp_path):
    fit = interrupted(tmp_path)
    with pytest.warns(UserWarning, match="Adam: beta_1=0.5, which was 0.9"):
        fit(network(kol.optimizers.Adam(0.01, beta_1=0.5)))


@pytest.mark.every
def test_other_settings_of_callbacks(tmp_path):
    def fit(crash, **settings):
        stop = keras.callbacks.EarlyStopping("loss", **settings)
        callbacks = [stop, Resume(tmp_path, verbose=0), Crash(crash)]
        model = network(kol.optimizers.Adam(0.0))
        return model.fit(X, Y, batch_size=16, epochs=5, verbose=0, callbacks=callbacks)

    with pytest.raises(Accident):
        fit(2 * BATCHES + 1, patience=5)
    message = "EarlyStopping: patience=1, which was 5"
    with pytest.warns(UserWarning, match=message):
        assert len(fit(999, patience=1).epoch) <= 4


@pytest.mark.skipif(os.name != "posix" or not os.getuid(), reason="needs permissions")
def test_a_read_only_directory(tmp_path):
    (tmp_path / "no").mkdir(mode=0o500)
    model = network(kol.optimizers.Adam())
    with pytest.warns(UserWarning, match="no checkpoint can be written") as caught:
        model.fit(X, Y, epochs=3, verbose=0, callbacks=[Resume(tmp_path / "no")])
    assert len([w for w in caught if "checkpoint" in str(w.message)]) == 1


def full_disk(*args, **kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.slow
def test_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "savez", full_disk)
    model = network(kol.optimizers.Adam())
    how = {"epochs": 3, "verbose": 0}
    with pytest.warns(UserWarning, match="No space left") as caught:
        model.fit(X, Y, **how, callbacks=[Resume(tmp_path)])
    assert len([w for w in caught if "checkpoint" in str(w.message)]) == 1
    with pytest.raises(OSError, match="No space left"):
        model.fit(X, Y, **how, callbacks=[Resume(tmp_path, on_error="raise")])


def test_minutes(tmp_path, monkeypatch):
    clock = itertools.count(step=10)
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    resume = Resume(tmp_path, every=None, minutes=1, keep=100)
    model = network(kol.optimizers.Adam())
    model.fit(X, Y, batch_size=16, verbose=0, callbacks=[resume])
    assert 2 <= len(resume._checkpoints.names()) <= 6


@pytest.mark.slow
def test_sigterm_writes_a_checkpoint(tmp_path):
    code = f"""
import keras, numpy as np, keras_optlab as kol, os, signal
class Terminate(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 6:
            os.kill(os.getpid(), signal.SIGTERM)
model = keras.Sequential([keras.layers.Dense(1)])
model.compile(kol.optimizers.Adam(), "mse")
x = np.ones((20, 2))
model.fit(x, x[:, :1], batch_size=1, verbose=0, epochs=2, callbacks=[
    kol.callbacks.Resume({str(tmp_path)!r}), Terminate()])
"""
    ran = subprocess.run([sys.executable, "-c", code], check=False)
    assert ran.returncode == -signal.SIGTERM
    (name,) = [p.name for p in tmp_path.glob("epoch-*")]
    assert name.startswith("epoch-000000-batch-000000007-")


def test_without_fit():
    with pytest.raises(ValueError, match="works in `fit` only"):
        keras.callbacks.CallbackList(
            [Resume("unused")], model=network("sgd")
        ).on_train_begin()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "every.*>= 1"),
        ({"every": None}, "`every` or `minutes` must be given"),
        ({"minutes": 0}, "minutes.*> 0"),
        ({"keep": 0}, "keep.*>= 1"),
        ({"on_error": "stop"}, "'warn' or 'raise'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Resume("directory", **arguments)


class Counts(keras.callbacks.Callback):
    """A user's callback with state of its own."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append((batch, random.random()))


@pytest.mark.every
def test_callbacks_of_the_user(tmp_path):
    def fit(path, crash=999):
        keras.utils.set_random_seed(0 if crash < 999 or path.name == "whole" else 5)
        model, counts = network(kol.optimizers.Adam()), Counts()
        callbacks = [counts, Resume(path, every=4, verbose=0), Crash(crash)]
        model.fit(**ARRAYS, epochs=2, verbose=0, callbacks=callbacks)
        return counts.seen

    whole = fit(tmp_path / "whole")
    with pytest.raises(Accident):
        fit(tmp_path / "parts", 14)
    assert fit(tmp_path / "parts") == whole
