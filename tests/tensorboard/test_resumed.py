"""Directories of trainings: a used one, a second `fit`, and a resumed training."""

import copy
import logging
import os
import pickle

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing import plugin_event_accumulator

from keras_optlab.callbacks import Monitor, TensorBoard
from keras_optlab.optimizers import SGD
from keras_optlab.schedules import Cosine
from tests.support.logs import X, Y, accumulate, fit, line, read


def runs(log_dir):
    """Return the directories with event files, relative to a log directory."""
    found = log_dir.rglob("events.out*")
    return sorted({str(file.parent.relative_to(log_dir)) for file in found})


@pytest.mark.slow
def test_another_object_on_a_used_directory_writes_beside(tmp_path):
    for n in range(3):
        fit(line(SGD(0.1)), [TensorBoard(tmp_path, every=n + 1)], epochs=1)
    names = ["best", "result", "train"]
    deeper = [f"run-{n}/{name}" for n in (2, 3) for name in names]
    assert runs(tmp_path) == sorted([*names, *deeper])
    points = [list(read(tmp_path / x / "train")["step/loss"]) for x in ("", "run-3")]
    assert points == [[1, 2, 3, 4], [1, 3]]


def test_a_directory_used_by_keras_is_used(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "events.out.tfevents.1.host").touch()
    fit(line(SGD(0.1)), [TensorBoard(tmp_path)], epochs=1)
    assert runs(tmp_path) == ["run-2/best", "run-2/result", "run-2/train", "train"]


def test_the_same_object_goes_on_in_its_directory(tmp_path):
    first, second = TensorBoard(tmp_path, every=2), TensorBoard(tmp_path, every=2)
    model, other = line(SGD(0.1)), line(SGD(0.1))
    for _ in range(2):
        fit(model, [first], epochs=1)
        fit(other, [second], epochs=1)
    for directory in tmp_path, tmp_path / "run-2":
        assert list(read(directory / "train")["step/loss"]) == [1, 2, 4, 6, 8]
        assert list(read(directory / "train")["epoch/loss"]) == [0, 1]


@pytest.mark.every
def test_two_objects_in_one_fit_have_directories_of_their_own(tmp_path):
    fit(line(SGD(0.1)), [TensorBoard(tmp_path, every=n) for n in (1, 4)], epochs=1)
    points = [list(read(tmp_path / x / "train")["step/loss"]) for x in ("", "run-2")]
    assert points == [[1, 2, 3, 4], [1, 4]]


def test_nothing_is_written_before_the_first_batch(tmp_path):
    class Refuse(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        fit(line(SGD(0.1)), [TensorBoard(tmp_path), Refuse()])
    assert not os.listdir(tmp_path)


# Resuming, as `Resume` does it: the optimizer's and the weights' variables, and the
# state of each callback, set at the first beginning of an epoch.

VALIDATION = {"validation_data": (X, Y)}


def network():
    return line(SGD(Cosine(0.2, steps=20), global_clipnorm=0.5))


class Save(keras.callbacks.Callback):
    """Saves the state of the training at a batch or at the end of an epoch."""

    def __init__(self, epoch, batch, *callbacks):
        super().__init__()
        self.at, self.callbacks, self.epoch = (epoch, batch), callbacks, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        self.save(batch)

    def on_epoch_end(self, epoch, logs=None):
        self.save(None)

    def save(self, batch):
        if (self.epoch, batch) == self.at:
            optimizer, weights = self.model.optimizer, self.model.weights
            self.variables = [
                np.array(keras.ops.convert_to_numpy(v))
                for v in (*optimizer.variables, *weights)
            ]
            self.states = pickle.dumps([c.get_state() for c in self.callbacks])


class Restore(keras.callbacks.Callback):
    """Puts a saved state back, at the first beginning of an epoch."""

    def __init__(self, saved, *callbacks):
        super().__init__()
        self.saved, self.callbacks = saved, callbacks

    def on_epoch_begin(self, epoch, logs=None):
        if self.saved is None:
            return
        variables = (*self.model.optimizer.variables, *self.model.weights)
        for variable, value in zip(variables, self.saved.variables, strict=True):
            variable.assign(value)
        states = pickle.loads(self.saved.states)
        for callback, state in zip(self.callbacks, states, strict=True):
            callback.set_state(state)
        self.saved = None


class Kill(keras.callbacks.Callback):
    """Ends a training as SIGKILL does: no hook of a callback runs any more."""

    def __init__(self, epoch, batch, *callbacks):
        super().__init__()
        self.at, self.callbacks, self.epoch = (epoch, batch), callbacks, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            for callback in self.callbacks:
                callback.on_train_interrupted = lambda: None
            raise KeyboardInterrupt


def resumed(make, killed_at, saved_after, rest=5):
    """Kill a training, and resume it in new objects from an epoch's end."""
    first = make()
    save = Save(saved_after - 1, None, first)
    with pytest.raises(KeyboardInterrupt):
        fit(network(), [first, save, Kill(*killed_at, first)], rest, **VALIDATION)
    again = make()
    how = {"initial_epoch": saved_after} | VALIDATION
    fit(network(), [Restore(save, again), again], rest, **how)
    return again


def points(log_dir):
    """Return {run: {tag: [(step, value)]}} as TensorBoard reads it."""
    found = {}
    for run in runs(log_dir):
        events = accumulate(log_dir / run)
        found[run] = {
            tag: [(e.step, e.value) for e in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
        }
    return found


LATER = [pytest.param(at, marks=pytest.mark.every) for at in ((2, 1), (4, 2))]


@pytest.mark.parametrize("killed_at", [(3, 3), *LATER])
@pytest.mark.slow
def test_a_resumed_training_has_the_curves_of_an_uninterrupted_one(tmp_path, killed_at):
    how = {"every": 3, "statistics_every": 1}
    fit(network(), [TensorBoard(tmp_path / "a", **how)], 5, **VALIDATION)
    resumed(lambda: TensorBoard(tmp_path / "b", **how), killed_at, saved_after=2)
    whole, parts = points(tmp_path / "a"), points(tmp_path / "b")
    assert whole.keys() == parts.keys() == {"best", "result", "train", "validation"}
    for run, tags in whole.items():
        assert tags.keys() == parts[run].keys()
        for tag in [t for t in tags if not t.startswith("throughput/")]:  # of a clock
            steps, values = zip(*tags[tag], strict=True)
            again = tuple(zip(*parts[run][tag], strict=True))
            assert again == (steps, pytest.approx(values)), (run, tag)


@pytest.mark.every
def test_resumed_again_and_again(tmp_path):
    make = lambda: TensorBoard(tmp_path, every=2)  # noqa: E731
    first = make()
    save = Save(0, None, first)
    with pytest.raises(KeyboardInterrupt):
        fit(network(), [first, save, Kill(3, 0, first)], 5, **VALIDATION)
    for batch in 1, 3:
        again = make()
        stopping = [Restore(save, again), again, Kill(2, batch, again)]
        with pytest.raises(KeyboardInterrupt):
            fit(network(), stopping, 5, initial_epoch=1, **VALIDATION)
    again = make()
    how = {"initial_epoch": 1} | VALIDATION
    fit(network(), [Restore(save, again), again], 5, **how)
    assert runs(tmp_path) == ["best", "result", "train", "validation"]
    curves = points(tmp_path)
    assert [x for x, _ in curves["train"]["epoch/loss"]] == [0, 1, 2, 3, 4]
    assert [x for x, _ in curves["train"]["step/loss"]] == [1, *range(2, 21, 2)]


@pytest.mark.every
def test_it_goes_on_in_the_saved_directory_not_in_a_new_one(tmp_path):
    fit(line(SGD(0.1)), [TensorBoard(tmp_path)], epochs=1)
    resumed(lambda: TensorBoard(tmp_path, every=2), (3, 1), saved_after=2)
    assert {run for run in runs(tmp_path) if run.startswith("run")} == {
        "run-2/best",
        "run-2/result",
        "run-2/train",
        "run-2/validation",
    }
    epochs = read(tmp_path / "run-2" / "train")["epoch/loss"]
    assert list(epochs) == [0, 1, 2, 3, 4]


def test_a_running_tensorboard_drops_the_points_after_the_checkpoint(tmp_path, caplog):
    """It has read them before the files are cut."""
    first = TensorBoard(tmp_path, every=1)
    save = Save(1, None, first)
    with pytest.raises(KeyboardInterrupt):
        fit(network(), [first, save, Kill(3, 2, first)], 5)
    running = plugin_event_accumulator.EventAccumulator(str(tmp_path / "train"))
    running.Reload()
    steps = lambda: [e.step for e in running.Tensors("step/loss")]  # noqa: E731
    assert steps() == list(range(1, 15))
    again = TensorBoard(tmp_path, every=1)
    with caplog.at_level(logging.ERROR):
        fit(network(), [Restore(save, again), again], 3, initial_epoch=2)
        running.Reload()
    assert steps() == list(range(1, 13))


@pytest.mark.every
def test_a_state_does_not_change_afterwards(tmp_path):
    callback = TensorBoard(tmp_path, every=1)
    fit(network(), [callback], 1)
    state = callback.get_state()
    before = copy.deepcopy(state)
    fit(network(), [callback], 1)
    assert state == before


@pytest.mark.every
def test_a_resumed_row_of_hparams_has_the_status_of_the_end(tmp_path):
    from tests.support.logs import hparams_rows

    first = TensorBoard(tmp_path / "a")
    save = Save(0, None, first)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(network(), [first, save, Stop()], 2)
    again = TensorBoard(tmp_path / "a")
    fit(network(), [Restore(save, again), again], 2, initial_epoch=1)
    (row,) = hparams_rows(tmp_path).values()
    assert row.sessions[0].status == 1  # STATUS_SUCCESS


@pytest.mark.every
def test_a_resumed_table_of_monitor_is_whole():
    whole = Monitor(every=3, statistics_every=1)
    fit(network(), [whole], 5, **VALIDATION)
    parts = resumed(lambda: Monitor(3, 1), (3, 1), saved_after=2)
    assert len(parts.rows) == len(whole.rows)
    for row, expected in zip(parts.rows, whole.rows, strict=True):
        row, expected = (
            {k: v for k, v in of.items() if not k.startswith("throughput/")}
            for of in (row, expected)
        )
        assert row.keys() == expected.keys()
        assert [row[k] for k in row] == pytest.approx([expected[k] for k in row])
