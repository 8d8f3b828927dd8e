"""Event files, the log, the configuration page and the TensorBoard callback."""

import errno
import math
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_optlab.callbacks import TensorBoard
from keras_optlab.optimizers import SGD, Adam
from keras_optlab.schedules import Cosine
from keras_optlab.tensorboard import EventWriter, Log, configuration
from keras_optlab.transforms import ClipByNorm

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)

ENGINE_TAGS = {
    "optimizer/gradient_norm",
    "optimizer/gradient_norm_clipped",
    "optimizer/clipped_fraction",
    "optimizer/skipped_steps",
    "optimizer/weight_norm",
    "optimizer/update_norm",
    "update_ratio/line/kernel",
}
STOCK_TAGS = {"epoch/loss", "step/loss", "optimizer/learning_rate"}


def accumulate(directory):
    everything = {"scalars": 0, "tensors": 0}
    return EventAccumulator(os.fspath(directory), size_guidance=everything).Reload()


def read(directory):
    """Return {tag: {step: value}}."""
    events = accumulate(directory)
    return {
        tag: {e.step: e.value for e in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
    }


def read_text(directory, tag):
    return [
        e.tensor_proto.string_val[0].decode()
        for e in accumulate(directory).Tensors(tag)
    ]


def line(optimizer, **compile_):
    """Return a model of three weights, so that its training can be done by hand."""
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, use_bias=False, name="line")]
    )
    model.compile(optimizer, loss="mse", **compile_)
    model.set_weights([np.ones((3, 1)) / 2])
    return model


def fit(model, callbacks, epochs=2, **kwargs):
    data = {"x": X, "y": Y, "batch_size": 8, "shuffle": False} | kwargs
    return model.fit(**data, epochs=epochs, callbacks=callbacks, verbose=0).history


def by_hand(rate, clipnorm, epochs=2):
    """Train `line` by SGD in float64; return what each step should log."""
    w = np.ones((3, 1)) / 2
    rows = []
    for start in [0, 8, 16, 24] * epochs:
        x, y = X[start : start + 8].astype("float64"), Y[start : start + 8]
        g = 2 * x.T @ (x @ w - y) / 8
        norm, size = np.linalg.norm(g), np.linalg.norm(w)
        clipped = g * min(1, clipnorm / norm)
        update = -rate(len(rows)) * clipped
        rows.append((norm, np.linalg.norm(clipped), np.linalg.norm(update), size))
        w = w + update
    return np.array(rows)


# Event files.


def test_numbers_and_text_come_back(tmp_path):
    writer = EventWriter(tmp_path / "a" / "b")
    writer.scalars({"x": 1.5, "y/z": math.inf}, step=3)
    writer.scalars({"x": 1e300}, step=2**40)
    writer.text("page", "# Größe", step=7)
    assert read(tmp_path / "a" / "b") == {
        "x": {3: 1.5, 2**40: math.inf},
        "y/z": {3: math.inf},
    }
    assert read_text(tmp_path / "a" / "b", "page") == ["# Größe"]
    writer.close()


def test_later_files_sort_after_earlier_ones(tmp_path):
    names = []
    for _ in range(20):
        EventWriter(tmp_path).close()
        names += set(os.listdir(tmp_path)) - set(names)
    assert len(names) == 20
    assert names == sorted(names)


# The log.


def in_the_way(tmp_path):
    (tmp_path / "log").write_text("not a directory")


def in_the_run_s_way(tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "train").write_text("not a directory")


@pytest.mark.parametrize("obstacle", [in_the_way, in_the_run_s_way])
def test_a_directory_that_cannot_be_made_is_an_error_before_training(
    tmp_path, obstacle
):
    obstacle(tmp_path)
    model = line("sgd")
    with pytest.raises(ValueError, match=r"must be a directory.*Received: log_dir="):
        fit(model, [TensorBoard(tmp_path / "log")])
    np.testing.assert_array_equal(model.get_weights()[0], 0.5)


def test_a_directory_that_may_not_be_written_is_an_error(tmp_path, monkeypatch):
    def refuse(self, directory):
        raise PermissionError(errno.EACCES, "Permission denied", str(directory))

    monkeypatch.setattr(EventWriter, "__init__", refuse)
    with pytest.raises(ValueError, match=r"Permission denied.*Choose another one"):
        Log(tmp_path).open("train")


@pytest.mark.parametrize(
    ("log_dir", "error"),
    [("gs://bucket/run", ValueError), (3, TypeError), (None, TypeError)],
)
def test_a_log_dir_must_be_a_local_path(log_dir, error):
    with pytest.raises(
        error, match=f"`log_dir` must be.*Received: log_dir={log_dir!r}"
    ):
        TensorBoard(log_dir)


def test_a_disk_that_fills_up_ends_the_logging_not_the_training(tmp_path, monkeypatch):
    write, room = EventWriter._write, [1 + 4 + 3]  # header, configuration, steps

    def write_until_full(self, **event):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, **event)

    monkeypatch.setattr(EventWriter, "_write", write_until_full)
    model, callback = line("sgd"), TensorBoard(tmp_path, every=1)
    with pytest.warns(UserWarning, match="No space left") as warned:
        history = fit(model, [callback], epochs=3, validation_data=(X, Y))
    assert len([w for w in warned if "TensorBoard" in str(w.message)]) == 1
    assert len(history["loss"]) == 3
    assert read(tmp_path / "train")["step/loss"].keys() == {1, 2, 3}
    room[0] = 99
    fit(model, [callback], epochs=1)
    assert read(tmp_path / "train")["step/loss"].keys() == {1, 2, 3, 13, 14, 15, 16}


# The callback.


def test_every_number_is_right(tmp_path):
    rate = Cosine(0.2, steps=10)
    model = line(SGD(rate, global_clipnorm=1.0))
    history = fit(model, [TensorBoard(tmp_path, every=3)], validation_data=(X, Y))
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")

    assert train.keys() == STOCK_TAGS | ENGINE_TAGS
    assert list(train["epoch/loss"].values()) == pytest.approx(history["loss"])
    assert validation.keys() == {"epoch/loss"}
    assert list(validation["epoch/loss"].values()) == pytest.approx(history["val_loss"])

    assert all(
        list(train[tag]) == [1, 3, 6] for tag in train if not tag.startswith("epoch")
    )
    assert train["optimizer/learning_rate"] == pytest.approx(
        {step: rate(step) for step in (1, 3, 6)}
    )
    norm, clipped, update, size = by_hand(rate, clipnorm=1.0)[[0, 2, 5]].T
    for tag, expected in {
        "optimizer/gradient_norm": norm,
        "optimizer/gradient_norm_clipped": clipped,
        "optimizer/clipped_fraction": np.float32(norm > 1),
        "optimizer/skipped_steps": [0, 0, 0],
        "optimizer/weight_norm": size,
        "optimizer/update_norm": update,
        "update_ratio/line/kernel": update / size,
    }.items():
        assert list(train[tag].values()) == pytest.approx(list(expected), rel=1e-4), tag


def test_the_step_metrics_are_means_over_the_epoch_so_far(tmp_path):
    model = line("sgd", metrics=["mae"])
    history = fit(model, [TensorBoard(tmp_path, every=2)])
    train = read(tmp_path / "train")
    for metric in ("loss", "mae"):
        at = train[f"step/{metric}"]
        assert list(at) == [1, 2, 4, 6, 8]
        assert [at[4], at[8]] == pytest.approx(history[metric])
    first = np.mean((X[:8] @ (np.ones((3, 1)) / 2) - Y[:8]) ** 2)
    assert train["step/loss"][1] == pytest.approx(first, rel=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "tags"),
    [
        (lambda: keras.optimizers.Adam(0.01), set()),
        (lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), set()),
        (lambda: keras.optimizers.LossScaleOptimizer(SGD(0.01)), ENGINE_TAGS),
        (lambda: Adam(0.01, use_ema=True), ENGINE_TAGS),
    ],
)
def test_what_each_optimizer_shows(tmp_path, optimizer, tags):
    model = line(optimizer())
    fit(model, [TensorBoard(tmp_path, every=2)])
    train = read(tmp_path / "train")
    assert train.keys() == STOCK_TAGS | tags
    assert set(train["optimizer/learning_rate"].values()) == {np.float32(0.01)}
    training = read_text(tmp_path / "train", "configuration/training")[0]
    assert ("none, since" in training) != bool(tags)


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras has no such thing on torch"
)
def test_several_steps_per_execution(tmp_path):
    model = line(SGD(0.1), steps_per_execution=3)
    fit(model, [TensorBoard(tmp_path, every=2)], batch_size=4)  # 8 steps an epoch
    assert list(read(tmp_path / "train")["step/loss"]) == [3, 6, 8, 11, 14, 16]


def test_with_accumulation_a_step_is_an_update(tmp_path):
    rate = Cosine(0.2, steps=10)
    model = line(SGD(rate, gradient_accumulation_steps=2))
    fit(model, [TensorBoard(tmp_path, every=2)], batch_size=4)  # 4 updates an epoch
    train = read(tmp_path / "train")
    assert train["optimizer/learning_rate"] == pytest.approx(
        {step: rate(step) for step in (1, 2, 4, 6, 8)}
    )
    assert list(train["optimizer/gradient_norm"]) == [1, 2, 4, 6, 8]


def test_both_axes_go_on_in_a_second_fit(tmp_path):
    model, callback = line(SGD(0.1)), TensorBoard(tmp_path, every=3)
    fit(model, [callback], epochs=2)
    fit(model, [callback], epochs=1)
    fit(model, [callback], epochs=7, initial_epoch=5)
    fit(model, [TensorBoard(tmp_path, every=3)], epochs=8, initial_epoch=7)
    train = read(tmp_path / "train")
    assert list(train["step/loss"]) == [1, *range(3, 24, 3), 24]
    assert list(train["epoch/loss"]) == [0, 1, 2, 5, 6, 7]
    assert len(read_text(tmp_path / "train", "configuration/model")) == 4


def test_a_run_without_validation_has_no_directory_for_it(tmp_path):
    fit(line("sgd"), [TensorBoard(tmp_path)])
    assert os.listdir(tmp_path) == ["train"]


class Stop(keras.callbacks.Callback):
    """Reads the log in mid-training, then fails."""

    def __init__(self, log_dir):
        super().__init__()
        self.log_dir = log_dir

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 3:
            self.seen = read(self.log_dir / "train")
            raise KeyboardInterrupt


def test_files_are_readable_during_training_and_complete_after_a_crash(tmp_path):
    stop = Stop(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(line(SGD(0.1)), [TensorBoard(tmp_path, every=1), stop])
    assert list(stop.seen["step/loss"]) == [1, 2, 3]
    assert read(tmp_path / "train") == stop.seen


def test_skipped_steps_are_counted_and_warned_about_once(tmp_path):
    x = X.copy()
    x[9], x[17] = math.nan, math.inf
    with pytest.warns(UserWarning, match="by step 2 the optimizer has skipped 1") as w:
        fit(line(SGD(0.1)), [TensorBoard(tmp_path, every=1)], x=x)
    assert len([x for x in w if "TensorBoard" in str(x.message)]) == 1
    skipped = read(tmp_path / "train")["optimizer/skipped_steps"]
    assert list(skipped.values()) == [0, 1, 2, 2, 2, 3, 4, 4]


def test_each_value_of_a_metric_gets_a_tag(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    f1 = keras.metrics.F1Score(threshold=0.5, name="f1")
    model.compile("sgd", loss="mse", metrics=[f1])
    history = fit(
        model, [TensorBoard(tmp_path, every=4)], y=np.float32(X[:, :2] > 0), epochs=1
    )
    train = read(tmp_path / "train")
    for i in (0, 1):
        assert train[f"epoch/f1/{i}"][0] == pytest.approx(history["f1"][0][i])
        assert train[f"step/f1/{i}"][4] == pytest.approx(history["f1"][0][i])


class Idle(keras.Model):
    """Trains without its own optimizer, as a GAN does."""

    def train_step(self, *args):
        loss = keras.ops.ones(())
        state = args[0] if keras.backend.backend() == "jax" else None
        return {"d_loss": loss} if state is None else ({"d_loss": loss}, state)


def test_the_step_goes_on_where_the_optimizer_does_not_count(tmp_path):
    inputs = keras.Input((3,))
    model = Idle(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd")
    fit(model, [TensorBoard(tmp_path, every=2)])
    train = read(tmp_path / "train")
    assert list(train["optimizer/learning_rate"]) == [1, 2, 4, 6, 8]
    assert train["epoch/d_loss"] == {0: 1.0, 1: 1.0}


def test_keras_need_not_wait_for_every_batch():
    ours, default = TensorBoard, keras.callbacks.Callback
    assert ours.on_train_batch_end is default.on_train_batch_end
    assert ours.on_batch_end is default.on_batch_end


@pytest.mark.parametrize(
    ("every", "error"), [(0, ValueError), (2.5, TypeError), ("50", TypeError)]
)
def test_every_must_be_a_number_of_steps(tmp_path, every, error):
    with pytest.raises(error, match=f"an integer >= 1. Received: every={every!r}"):
        TensorBoard(tmp_path, every=every)


# The configuration.


def test_the_configuration_is_readable(tmp_path):
    model = line(Adam(Cosine(0.1, 8), gradient_transforms=[ClipByNorm(0.5)]))
    fit(model, [TensorBoard(tmp_path, every=5)])
    tables = {
        part: read_text(tmp_path / "train", f"configuration/{part}")[0]
        for part in ("training", "optimizer", "model", "versions")
    }
    for part, row in [
        ("training", "| `epochs` | 2 |"),
        ("training", "| `steps per epoch` | 4 |"),
        ("training", "| `loss` | mse |"),
        ("optimizer", "| `class` | Adam |"),
        ("optimizer", "| `learning_rate` | Cosine(initial=0.1, steps=8, final=0) |"),
        ("optimizer", "| `gradient_transforms` | [ClipByNorm(norm=0.5)] |"),
        ("model", "| line | Dense | (None, 1) | 3 |"),
        ("versions", f"| `keras` | {keras.__version__} |"),
    ]:
        assert row in tables[part]
    assert "`clipnorm`" not in tables["optimizer"]


class Private(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return y_true - y_pred

    def get_config(self):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (Private(), "Private()"),
        (lambda y, p: y - p, "&lt;lambda&gt;"),
        (keras.losses.Huber(2.0), "Huber(name=huber_loss, "),
        ({"line": "mse"}, "{line: mse}"),
    ],
)
def test_any_loss_is_described(loss, shown):
    inner = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9))
    model = line("sgd")
    model.compile(keras.optimizers.LossScaleOptimizer(inner), loss=loss)
    tables = configuration(model, {})
    assert f"| `loss` | {shown}" in tables["training"]
    assert "| `class` | SGD |" in tables["optimizer"]
    assert "| `inside` | LossScaleOptimizer |" in tables["optimizer"]
    assert "CosineDecay(initial_learning_rate=0.1, decay" in tables["optimizer"]


# What is imported.

IMPORTS = """
import sys, tempfile, numpy as np, keras, keras_optlab
from keras_optlab.callbacks import TensorBoard
assert "tensorboard" not in sys.modules
model = keras.Sequential([keras.layers.Dense(1)])
model.compile(keras_optlab.optimizers.SGD(), loss="mse")
with tempfile.TemporaryDirectory() as log_dir:
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0,
              callbacks=[TensorBoard(log_dir, every=1)])
assert "tensorboard" in sys.modules
assert "tensorflow" not in sys.modules
"""


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="TensorFlow is there anyway"
)
def test_tensorboard_is_imported_late_and_brings_no_tensorflow():
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
