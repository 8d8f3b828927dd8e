"""Event files, their content, and the log directory."""

import errno
import io
import math
import os

import numpy as np
import pytest
from PIL import Image

from keras_optlab.callbacks import TensorBoard
from keras_optlab.engine import Histogram
from keras_optlab.tensorboard import EventWriter, Log, summaries
from tests.support.logs import X, Y, fit, line, read, read_tensors, read_text


@pytest.fixture
def write(tmp_path):
    """Yield a function that writes an event file into a temporary directory."""
    writer = EventWriter(tmp_path)
    yield lambda values, step: writer.write(values, step)
    writer.close()


# Event files.


def test_numbers_and_text_come_back(tmp_path, write):
    write(summaries.scalars({"x": 1.5, "y/z": math.inf}), step=3)
    write(summaries.scalars({"x": 1e300}), step=2**40)
    write(summaries.text("page", "# Größe"), step=7)
    assert read(tmp_path) == {"x": {3: 1.5, 2**40: math.inf}, "y/z": {3: math.inf}}
    assert read_text(tmp_path, "page") == ["# Größe"]


def test_histograms_come_back_as_edges_and_counts(tmp_path, write):
    write(summaries.histogram("h", Histogram(-1.0, 0.5, np.array([3, 0, 2]))), step=1)
    write(summaries.histogram("h", Histogram(2.0, 2.0, np.array([4, 0]))), step=2)
    found = read_tensors(tmp_path, "histograms")
    np.testing.assert_array_equal(
        found["h"][1], [[-1, -0.5, 3], [-0.5, 0, 0], [0, 0.5, 2]]
    )
    np.testing.assert_array_equal(found["h"][2], [[2, 2, 4], [2, 2, 0]])


def test_a_histogram_of_nothing_is_left_out():
    assert summaries.histogram("h", Histogram(0.0, 0.0, np.zeros(30))) == []


def test_pictures_come_back(tmp_path, write):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 3)).astype("uint8")
    write(summaries.image("i", pixels), step=4)
    width, height, png = read_tensors(tmp_path, "images")["i"][4]
    assert (width, height) == (b"5", b"2")
    np.testing.assert_array_equal(Image.open(io.BytesIO(png)), pixels)


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
def test_a_directory_that_cannot_be_made_does_not_cost_the_training(tmp_path, obstacle):
    obstacle(tmp_path)
    model = line("sgd")
    with pytest.warns(UserWarning, match="Training goes on, but") as warned:
        fit(model, [TensorBoard(tmp_path / "log")])
    assert len([w for w in warned if "TensorBoard" in str(w.message)]) == 1
    assert np.all(model.get_weights()[0] != 0.5)


def test_a_directory_that_may_not_be_written_is_warned_about(tmp_path, monkeypatch):
    def refuse(self, directory):
        raise PermissionError(errno.EACCES, "Permission denied", str(directory))

    monkeypatch.setattr(EventWriter, "__init__", refuse)
    log = Log(tmp_path)
    log.open()
    with pytest.warns(UserWarning, match=r"Permission denied.*allow writing"):
        log.write("train", summaries.scalars({"x": 1.0}), 1)


@pytest.mark.parametrize(
    ("log_dir", "error"),
    [("gs://bucket/run", ValueError), (3, TypeError), (None, TypeError)],
)
def test_a_log_dir_must_be_a_local_path(log_dir, error):
    with pytest.raises(
        error, match=f"`log_dir` must be.*Received: log_dir={log_dir!r}"
    ):
        TensorBoard(log_dir)


@pytest.mark.slow
def test_a_disk_that_fills_up_ends_the_logging_not_the_training(tmp_path, monkeypatch):
    # Two headers, two starts, text, hparams, two layouts, three steps.
    append, room = EventWriter._append, [2 + 2 + 1 + 1 + 2 + 3]

    def append_until_full(self, **event):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, **event)

    monkeypatch.setattr(EventWriter, "_append", append_until_full)
    model, callback = line("sgd"), TensorBoard(tmp_path, every=1)
    with pytest.warns(UserWarning, match="No space left") as warned:
        history = fit(model, [callback], epochs=3, validation_data=(X, Y))
    assert len([w for w in warned if "TensorBoard" in str(w.message)]) == 1
    assert len(history["loss"]) == 3
    assert read(tmp_path / "train")["step/loss"].keys() == {1, 2, 3}
    room[0] = 99
    fit(model, [callback], epochs=1)
    assert read(tmp_path / "train")["step/loss"].keys() == {1, 2, 3, 13, 14, 15, 16}
