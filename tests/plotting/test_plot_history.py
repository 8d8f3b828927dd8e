"""Pictures of trainings from a History, a dict, or a file of CSVLogger."""

import sys

import keras
import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

import keras_optlab as kol
from keras_optlab.callbacks import Monitor
from keras_optlab.optimizers import SGD
from tests.support.logs import X, Y, line

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def close():
    yield
    pyplot.close("all")


def trained(epochs=4, callbacks=(), metrics=("mae",), **kwargs):
    model = line(SGD(0.1), metrics=list(metrics))
    how = {"batch_size": 8, "verbose": 0, "callbacks": list(callbacks)}
    return model.fit(X, Y, epochs=epochs, **how, **kwargs)


def panels(figure):
    """Return {title: {label: (x, y)}} of the visible panels."""
    return {
        ax.get_title(): {
            x.get_label(): (x.get_xdata().tolist(), x.get_ydata().tolist())
            for x in ax.get_lines()
        }
        for ax in figure.axes
        if ax.get_visible()
    }


def test_loss_and_metrics_with_validation_and_the_best_epoch():
    lists = {
        "accuracy": [0.5, 0.7, 0.9],
        "loss": [3.0, 2.0, 1.0],
        "val_accuracy": [0.4, 0.6, 0.5],
        "val_loss": [3.0, 2.5, 2.75],
    }
    shown = panels(kol.plot_history(lists))
    epochs = [1, 2, 3]
    assert shown == {
        "loss": {
            "training": (epochs, lists["loss"]),
            "validation": (epochs, lists["val_loss"]),
            "best: 2.5 in epoch 2": ([2], [2.5]),
        },
        "accuracy": {
            "training": (epochs, lists["accuracy"]),
            "validation": (epochs, lists["val_accuracy"]),
            "best: 0.6 in epoch 2": ([2], [0.6]),
        },
    }


@pytest.mark.slow
def test_the_history_of_fit_its_dict_and_the_file_are_one(tmp_path):
    path = tmp_path / "log.csv"
    history = trained(
        callbacks=[keras.callbacks.CSVLogger(path, separator=";"), Monitor()],
        validation_data=(X, Y),
    )
    pictures = [panels(kol.plot_history(x)) for x in (history, history.history, path)]
    first, *others = pictures
    assert list(first) == ["loss", "mae", "lr", "grad_norm"]  # nothing was skipped
    assert first["loss"]["training"] == ([1, 2, 3, 4], history.history["loss"])
    for other in others:
        assert other.keys() == first.keys()
        for title, lines in first.items():
            for label, (x, y) in lines.items():
                assert other[title][label][0] == x
                assert other[title][label][1] == pytest.approx(y)


@pytest.mark.slow
def test_several_trainings_by_name():
    histories = {"a": trained(), "b": trained(validation_data=(X, Y)).history}
    shown = panels(kol.plot_history(histories))
    labels = [x for x in shown["loss"] if "best" not in x]
    assert labels == ["a, training", "b, training", "b, validation"]
    marks = [x for x in shown["loss"] if "best" in x]
    assert [mark.split(":")[0] for mark in marks] == ["a, best", "b, best"]


@pytest.mark.every
def test_epochs_as_they_were():
    model = line(SGD(0.1))
    how = {"batch_size": 8, "verbose": 0}
    later = model.fit(X, Y, epochs=9, initial_epoch=6, **how)
    shown = panels(kol.plot_history(later))
    assert shown["loss"]["training"][0] == [7, 8, 9]
    rare = trained(epochs=5, validation_data=(X, Y), validation_freq=2)
    assert panels(kol.plot_history(rare))["loss"]["validation"][0] == [2, 4]


def test_logarithmic_axes_where_the_values_span_magnitudes():
    lists = {
        "loss": [10.0, 1.0, 0.1],
        "mae": [1.0, 0.5, 0.4],
        "size": [-1.0, 50.0, 9.0],
    }
    scales = {ax.get_title(): ax.get_yscale() for ax in kol.plot_history(lists).axes}
    assert scales == {"loss": "log", "mae": "linear", "size": "linear"}


def test_numbers_that_are_missing_or_infinite():
    lists = {"loss": [1.0, np.nan, np.inf], "f1": [[0.1, 0.2]] * 3, "note": ["a"] * 3}
    shown = panels(kol.plot_history(lists))
    assert list(shown) == ["loss"]
    assert "best: 1 in epoch 1" in shown["loss"]


def test_a_file_with_gaps(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text('epoch,loss,val_loss,f1\n0,1.0,NA,"[0.1, 0.2]"\n1,0.5,0.7,NA\n')
    shown = panels(kol.plot_history(path))
    assert shown.keys() == {"loss"}
    assert shown["loss"]["validation"] == ([2], [0.7])


@pytest.mark.parametrize("history", [None, 3, [1.0, 2.0], {"a": None, "b": "x.csv"}])
def test_something_else_is_refused(history, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("epoch,loss\n0,1.0\n")
    with pytest.raises(TypeError, match="`history` must be the `History`.*Received: "):
        kol.plot_history(history)


@pytest.mark.parametrize("history", [{}, {"loss": []}, {"note": ["a"]}])
def test_nothing_to_draw(history):
    with pytest.raises(ValueError, match="nothing to draw"):
        kol.plot_history(history)


@pytest.mark.parametrize("text", ["", "loss\n1.0\n", "epoch,loss\n"])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match="a column `epoch` and at least one row"):
        kol.plot_history(tmp_path / "x.csv")


def test_matplotlib_is_named_if_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"keras-optlab\[plot\]"):
        kol.plot_history({"loss": [1.0]})
