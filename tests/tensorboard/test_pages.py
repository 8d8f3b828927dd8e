"""Histograms, images and the HPARAMS page of the TensorBoard callback."""

import io
import math

import keras
import numpy as np
import pytest
from keras.optimizers.schedules import CosineDecay
from PIL import Image
from tensorboard.plugins.hparams import api_pb2

from keras_optlab.callbacks import (
    HyperparameterScheduler,
    ReduceOnPlateau,
    TensorBoard,
    Validate,
)
from keras_optlab.optimizers import SGD, Adam
from keras_optlab.schedules import Cosine, OneCycle
from keras_optlab.tensorboard import kernel_image
from keras_optlab.tensorboard.kernels import LINE, SIDE, tiles
from tests.support.logs import (
    X,
    Y,
    by_hand,
    fit,
    hparams_rows,
    hparams_values,
    line,
    read,
    read_tensors,
)

# Histograms.


def counted(entries):
    """Return edges and counts of 30 bins between the smallest and largest entry."""
    low, high = np.min(entries), np.max(entries)
    counts, edges = np.histogram(entries, bins=30, range=(low, high))
    return np.stack([edges[:-1], edges[1:], counts], axis=1)


def test_histograms_of_gradients_updates_and_weights(tmp_path):
    model = line(SGD(0.1, global_clipnorm=1.0))
    fit(model, [TensorBoard(tmp_path, every=2, histograms_every=4)])
    shown = read_tensors(tmp_path / "train", "histograms")
    sides = ("value", "gradient", "update")
    assert shown.keys() == {f"weight_{side}/line/kernel" for side in sides}
    steps = by_hand(lambda t: 0.1, clipnorm=1.0)
    for step in (1, 4, 8):
        weight, gradient, _, update = steps[step - 1]
        for side, entries in zip(sides, (weight, gradient, update), strict=True):
            buckets = shown[f"weight_{side}/line/kernel"]
            assert list(buckets) == [1, 4, 8]
            if np.ptp(entries):
                expected = counted(entries)
                np.testing.assert_allclose(buckets[step], expected, rtol=1e-3)
            else:
                assert buckets[step][:, :2] == pytest.approx(entries[0, 0])
                assert buckets[step][:, 2].sum() == 3


def test_histograms_of_the_weights_with_a_stock_optimizer(tmp_path):
    model = line("sgd")
    fit(model, [TensorBoard(tmp_path, every=2, histograms_every=4)])
    shown = read_tensors(tmp_path / "train", "histograms")
    assert shown.keys() == {"weight_value/line/kernel"}
    buckets = shown["weight_value/line/kernel"]
    assert list(buckets) == [1, 4, 8]
    np.testing.assert_allclose(
        buckets[8], counted(model.get_weights()[0]), rtol=1e-6, atol=1e-7
    )


# Images.


def test_tiles_are_coloured_by_sign_and_stand_in_a_square():
    units = np.array([1.0, -1.0, 0.0, 0.5, -0.5]).reshape(5, 1, 1, 1)
    pixels = tiles(units)
    pitch, middle = SIDE + LINE, SIDE // 2 + LINE
    assert pixels.shape == (2 * pitch + LINE, 3 * pitch + LINE, 3)
    red, blue, white, pink, azure, none = (
        pixels[middle + row * pitch, middle + column * pitch].tolist()
        for row in range(2)
        for column in range(3)
    )
    assert (red, blue, white) == ([255, 0, 0], [0, 0, 255], [255, 255, 255])
    assert (pink, azure) == ([255, 127, 127], [127, 127, 255])
    assert none == pixels[0, 0].tolist() != white


def test_colours_are_shown_as_colours():
    unit = np.array([1.0, 0.0, -1.0]).reshape(1, 1, 1, 3)
    assert tiles(unit)[SIDE // 2, SIDE // 2].tolist() == [255, 127, 0]


def test_a_unit_of_nan_is_shown_as_nothing():
    assert (
        tiles(np.full((1, 2, 2, 1), np.nan))[SIDE // 2, SIDE // 2].tolist() == [255] * 3
    )


layers = keras.layers


@pytest.mark.parametrize(
    ("shape", "stack", "side", "units"),
    [
        pytest.param((12, 12, 1), [layers.Conv2D(5, 3)], (3, 3), 5, id="grey"),
        pytest.param(
            (12, 12, 3), [layers.Conv2D(70, (3, 5))], (3, 5), 64, id="colours"
        ),
        pytest.param((12, 12, 3), [layers.DepthwiseConv2D(3)], (3, 3), 1, id="depth"),
        pytest.param((6, 9), [layers.Flatten(), layers.Dense(4)], (6, 9), 4, id="flat"),
        pytest.param(
            (6, 9, 3), [layers.Flatten(), layers.Dense(4)], (6, 9), 4, id="flat colours"
        ),
        pytest.param((784,), [layers.Dense(7), layers.Dense(2)], (28, 28), 7, id="784"),
        pytest.param((9,), [layers.Dense(64), layers.Dense(2)], None, 0, id="features"),
        pytest.param((12, 12, 2), [layers.Conv2D(5, 3)], None, 0, id="two channels"),
        pytest.param((12, 3), [layers.Conv1D(5, 3)], None, 0, id="a series"),
        pytest.param((4,), [layers.Rescaling(2.0)], None, 0, id="no weights"),
    ],
)
def test_which_kernels_are_shown(shape, stack, side, units):
    model = keras.Sequential([keras.Input(shape)])
    for layer in stack:  # a layer can be in one model only
        model.add(type(layer).from_config(layer.get_config()))
    shown = kernel_image(model)
    if side is None:
        assert shown is None
        return
    path, pixels = shown
    assert path == model.weights[0].path
    columns = np.ceil(np.sqrt(units))
    rows = np.ceil(units / columns)
    height, width = (x * max(1, SIDE // max(side)) + LINE for x in side)
    assert pixels.shape == (rows * height + LINE, columns * width + LINE, 3)


def picture():
    model = keras.Sequential(
        [keras.Input((8, 8)), layers.Flatten(), layers.Dense(1, name="first")]
    )
    model.compile(SGD(0.1), loss="mse")
    model.layers[-1].set_weights([np.linspace(-1, 1, 64)[:, None], np.zeros(1)])
    return model


def test_images_before_training_and_after_every_epoch(tmp_path):
    x = np.zeros((32, 8, 8), "float32")
    x[:, 0, 7] = 1.0  # the only pixel that is not 0
    model = picture()
    fit(model, [TensorBoard(tmp_path, images=True)], x=x, y=np.full((32, 1), 9.0))
    shown = read_tensors(tmp_path / "train", "images")["weight_image/first/kernel"]
    assert list(shown) == [0, 4, 8]
    before, after = (
        np.asarray(Image.open(io.BytesIO(shown[step][2])), "int") for step in (0, 8)
    )
    factor = SIDE // 8
    corner = [LINE + factor // 2 + factor * i for i in (0, 7)]
    assert before[corner[0], corner[0]].tolist() == [0, 0, 255]  # -1
    assert before[corner[1], corner[1]].tolist() == [255, 0, 0]  # +1
    assert before[corner[0], corner[1]].tolist() != [255, 0, 0]
    assert after[corner[0], corner[1]].tolist() == [255, 0, 0]  # now the largest


def test_images_that_do_not_exist_are_warned_about_once(tmp_path):
    with pytest.warns(UserWarning, match="no images to show") as warned:
        fit(line("sgd"), [TensorBoard(tmp_path, images=True)])
    assert len([w for w in warned if "images" in str(w.message)]) == 1


# The HPARAMS page.


def fail(epoch, logs):
    raise RuntimeError("failed")


@pytest.mark.slow
def test_runs_are_rows_with_their_hyperparameters_metrics_and_status(tmp_path):
    adam = Adam(0.02, weight_decay=Cosine(0.1, steps=8), use_ema=True)
    own = {"width": np.int64(3), "kind": "line", "shuffled": False}
    history = fit(
        line(adam),
        [TensorBoard(tmp_path / "a", every=4, hparams=own)],
        validation_data=(X, Y),
    )
    failing = keras.callbacks.LambdaCallback(on_epoch_end=fail)
    with pytest.raises(RuntimeError, match="failed"):
        fit(line("sgd"), [TensorBoard(tmp_path / "b"), failing], epochs=3)

    rows = hparams_rows(tmp_path)
    assert rows.keys() == {"a/result", "b/result"}
    rows = {name.split("/")[0]: row for name, row in rows.items()}
    assert hparams_values(rows["a"]) == {
        "optimizer": "Adam(weight_decay=Cosine(initial=0.1, steps=8, final=0), "
        "use_ema=True)",
        "learning_rate": 0.02,
        "schedule": "constant",
        "batch_size": 8,
        "width": 3,
        "kind": "line",
        "shuffled": False,
    }
    assert hparams_values(rows["b"]) == {
        "optimizer": "SGD",
        "learning_rate": 0.01,
        "schedule": "constant",
        "batch_size": 8,
    }
    shown = [(m.name.group, m.name.tag, m.value) for m in rows["a"].metric_values]
    assert shown == [  # in the order of the columns
        ("", "result/best_val_loss", pytest.approx(min(history["val_loss"]))),
        ("", "result/last_val_loss", pytest.approx(history["val_loss"][-1])),
        ("", "result/training_loss", pytest.approx(history["loss"][-1])),
    ]
    status = {name: row.sessions[0].status for name, row in rows.items()}
    assert status == {"a": api_pb2.STATUS_SUCCESS, "b": api_pb2.STATUS_FAILURE}


RATES = {
    "our schedule": (lambda: SGD(OneCycle(peak=0.3)), 0.3, "OneCycle"),
    "of Keras": (lambda: keras.optimizers.SGD(CosineDecay(0.2, 9)), 0.2, "CosineDecay"),
    "a function": (lambda: Adam(lambda: 0.25), 0.25, "<lambda>"),
    "a number": (lambda: Adam(0.5), 0.5, "constant"),
}


@pytest.mark.parametrize("case", RATES)
@pytest.mark.slow
def test_the_peak_of_the_rate_and_the_name_of_its_schedule(tmp_path, case):
    make, peak, schedule = RATES[case]
    fit(line(make()), [TensorBoard(tmp_path / "a")], epochs=1)
    (row,) = hparams_rows(tmp_path).values()
    assert hparams_values(row)["learning_rate"] == pytest.approx(peak, rel=1e-3)
    assert hparams_values(row)["schedule"] == schedule


@pytest.mark.every
@pytest.mark.parametrize(
    "callback",
    [
        lambda: keras.callbacks.LearningRateScheduler(lambda epoch: 0.1),
        lambda: ReduceOnPlateau("loss"),
        lambda: HyperparameterScheduler("learning_rate", Cosine(0.1)),
    ],
)
def test_the_callback_that_drives_the_rate(tmp_path, callback):
    driver = callback()
    fit(line(SGD(0.1)), [TensorBoard(tmp_path / "a"), driver], epochs=1)
    (row,) = hparams_rows(tmp_path).values()
    assert hparams_values(row)["schedule"] == type(driver).__name__


def test_the_best_value_is_of_the_better_direction(tmp_path):
    class Given(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = [3.0, 1.0, math.nan, 2.0][epoch]
            logs["val_accuracy"] = [0.1, 0.4, 0.3, 0.2][epoch]
            logs["val_size"] = epoch

    given = [Given(), TensorBoard(tmp_path / "a")]
    fit(line(SGD(0.1)), given, epochs=4, validation_data=(X, Y), validation_freq=9)
    curves = read(tmp_path / "a" / "best")
    assert curves["epoch/loss"] == {0: 3, 1: 1, 2: 1, 3: 1}
    best = pytest.approx({0: 0.1, 1: 0.4, 2: 0.4, 3: 0.4})
    assert curves["epoch/accuracy"] == best
    results = {tag: at[16] for tag, at in read(tmp_path / "a" / "result").items()}
    of_training = results.pop("result/training_loss")
    assert results == {
        "result/best_val_accuracy": pytest.approx(0.4),
        "result/best_val_loss": 1,
        "result/last_val_accuracy": pytest.approx(0.2),
        "result/last_val_loss": 2,
        "result/last_val_size": 3,
    }
    assert of_training == read(tmp_path / "a" / "train")["epoch/loss"][3]


@pytest.mark.every
def test_without_validation_the_values_are_those_of_the_training(tmp_path):
    history = fit(line(SGD(0.1)), [TensorBoard(tmp_path / "a")])
    (row,) = hparams_rows(tmp_path).values()
    shown = {m.name.tag: m.value for m in row.metric_values}
    best, last = min(history["loss"]), history["loss"][-1]
    assert shown == pytest.approx({"result/best_loss": best, "result/last_loss": last})


@pytest.mark.every
def test_a_validate_in_the_middle_of_epochs_counts(tmp_path):
    validate = Validate(every=1, data=(X, Y))
    fit(line(SGD(0.1)), [TensorBoard(tmp_path / "a"), validate], epochs=1)
    best = read(tmp_path / "a" / "best")["step/loss"]
    lowest = np.minimum.accumulate(validate.history["val_loss"])
    assert best == pytest.approx(dict(enumerate(lowest, start=1)))


def test_one_log_dir_by_itself_has_a_row_with_metrics(tmp_path):
    fit(line(SGD(0.1)), [TensorBoard(tmp_path)], epochs=1)
    (row,) = hparams_rows(tmp_path).values()
    assert {m.name.tag for m in row.metric_values} == {
        "result/best_loss",
        "result/last_loss",
    }


def sized(size):
    class Batches(keras.utils.PyDataset):
        batch_size = size

        def __len__(self):
            return 4

        def __getitem__(self, i):
            return X[8 * i : 8 * i + 8], Y[8 * i : 8 * i + 8]

    return Batches()


@pytest.mark.every
@pytest.mark.parametrize(
    ("data", "size"),
    [
        ({}, 8),
        ({"batch_size": None}, 32),
        ({"x": lambda: sized(8), "y": None, "batch_size": None}, 8),
        ({"x": lambda: sized(None), "y": None, "batch_size": None}, None),
    ],
)
def test_the_batch_size_where_the_data_tell_it(tmp_path, data, size):
    data = {k: v() if callable(v) else v for k, v in data.items()}
    fit(line(SGD(0.1)), [TensorBoard(tmp_path / "a")], epochs=1, **data)
    (row,) = hparams_rows(tmp_path).values()
    assert hparams_values(row).get("batch_size") == size


@pytest.mark.every
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs tf.data")
@pytest.mark.parametrize(("drop", "size"), [(True, 8), (False, None)])
def test_the_batch_size_of_a_dataset(tmp_path, drop, size):
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8, drop_remainder=drop)
    how = {"x": data, "y": None, "batch_size": None}
    fit(line(SGD(0.1)), [TensorBoard(tmp_path / "a")], epochs=1, **how)
    (row,) = hparams_rows(tmp_path).values()
    assert hparams_values(row).get("batch_size") == size


@pytest.mark.parametrize(
    "hparams", [["batch_size"], {"layers": [1, 2]}, {3: 4}, {"loss": None}]
)
def test_hparams_must_be_simple(tmp_path, hparams):
    with pytest.raises(TypeError, match="`hparams` must.*Received: hparams="):
        TensorBoard(tmp_path, hparams=hparams)


def test_images_must_be_yes_or_no(tmp_path):
    with pytest.raises(TypeError, match="`images` must be True or False. Received: "):
        TensorBoard(tmp_path, images="kernels")
